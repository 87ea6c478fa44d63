"""Features into decisions: one process a strategy."""
