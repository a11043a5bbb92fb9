"""``python -m charging.cli``: the command where it is not on the PATH."""

from charging.cli.app import main

main()
