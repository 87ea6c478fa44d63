"""An account that trades: the book of live trades and the engine that walks it through event time."""
