"""Measurements for people to run; no test is timed. `python -m benchmarks` lists them."""
