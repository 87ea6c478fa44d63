"""Models as they are applied: trees read from their stored bytes and evaluated with NumPy alone."""
