"""Benchmarks of speed and memory. Each file answers one question."""
