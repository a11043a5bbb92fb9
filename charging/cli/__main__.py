"""``python -m charging.cli``: the command where it is not on the PATH."""

from charging.cli.run import main

main()
