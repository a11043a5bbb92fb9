"""Measurements of this engine, as ratios in one run (``make bench``). What each row means: benches/README.md."""
