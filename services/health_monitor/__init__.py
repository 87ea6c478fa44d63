"""Invariants of the running fleet: each a fact with an observed value and a limit."""
