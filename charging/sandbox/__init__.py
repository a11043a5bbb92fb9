"""The sandbox CPO: a real OCPI peer (2.1.1, 2.2.1, 2.3.0) in its own process, with chargers and cars that obey physics.

``python -m charging.sandbox --port P --data DIR --speed N``. From ``charging`` it uses the OCPI models, converters of
versions and wire helpers and nothing else, so what it says about a session is independent evidence.
"""
