"""Measurements behind the figures in the README; each is one command and prints ratios from one run."""
