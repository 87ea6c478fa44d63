"""Builders and fakes for tests; nothing that ships imports it."""
