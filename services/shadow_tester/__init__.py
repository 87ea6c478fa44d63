"""Thousands of variations live on one feed: a small process that waits, and a short-lived one that works."""
