"""The command ``charging``: the whole stack on one machine, and the REST API from a terminal.

It speaks HTTP to the API and never imports it, so that what it shows is what any client would see.
"""

from charging.cli.run import main

__all__ = ["main"]
