"""The other end of docs/neighbours.md: Payments, EV Pass and Robot Jobs, simple and obedient, to practise with."""
