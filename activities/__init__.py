"""Every side effect of a workflow; one class per partner, built with its dependencies."""
