"""The sibling services that this engine lives among, each behind an adapter over HTTP (docs/neighbours.md)."""
