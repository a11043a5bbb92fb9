"""The money of a session: what is held, owed, captured, refunded, and the receipt that says so."""
