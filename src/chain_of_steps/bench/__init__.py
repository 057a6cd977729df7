"""Benchmarks: suites in folders, videos out, scores."""
