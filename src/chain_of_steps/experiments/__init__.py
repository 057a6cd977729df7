"""Runs, rows and their store; sweeps, costs, claims."""
