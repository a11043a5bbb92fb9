"""The sandbox CPO: a real OCPI 2.2.1 peer in its own process, with chargers and cars that obey physics.

``python -m charging.sandbox --port P --data DIR --speed N``. From ``charging`` it uses the OCPI models and wire
helpers and nothing else, so what it says about a session is independent evidence.
"""
