"""The test bed for partners: drives a CPO through one whole charging session and reports (``charging cpo check``)."""
