"""OCPI 2.2.1: the objects, what every message has in common, the client, the registration of peers."""
