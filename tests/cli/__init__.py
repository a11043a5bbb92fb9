"""The command ``charging`` and the embedded stack, as people and scripts use them."""
