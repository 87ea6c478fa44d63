"""Pure functions on NumPy arrays: no I/O, no clock, no logging."""
