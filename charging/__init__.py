"""The library behind the robots' API: rules, OCPI, store and payments, in layers (docs/architecture.md)."""
