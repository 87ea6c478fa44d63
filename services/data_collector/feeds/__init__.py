"""Clients of the vendors' protocols."""
