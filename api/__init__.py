"""The REST API for robots, the OCPI interface for CPOs: a facade. Endpoints only translate (docs/architecture.md)."""
