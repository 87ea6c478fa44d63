"""Nouns of the field: frozen, slotted, keyword-only dataclasses without I/O."""
