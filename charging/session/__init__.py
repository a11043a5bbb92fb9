"""One charging session: its data (``model``), its messages, its rules, what wakes it and what a reader sees. Pure."""
