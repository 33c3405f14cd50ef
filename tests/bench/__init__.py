"""Benchmarks: ratios and rates within one run, on this machine. See ``python -m tests.bench``."""
