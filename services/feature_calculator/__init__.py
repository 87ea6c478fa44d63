"""Closed bars into features."""
