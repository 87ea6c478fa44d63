"""Postgres, and the only package that talks to it."""
