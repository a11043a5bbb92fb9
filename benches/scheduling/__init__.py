"""What departure-time scheduling saves, on real sessions, cars and prices: ``python -m benches.scheduling DATA``."""
