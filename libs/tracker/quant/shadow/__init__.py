"""Thousands of variations of the strategies on one feed, each with an account of its own."""
