"""``python -m benches [name …]``."""

from benches.run import main

main()
