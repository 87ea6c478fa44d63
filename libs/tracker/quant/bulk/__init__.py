"""Years of trading on plain arrays, for numba to compile; the rules are those of the live engine."""
