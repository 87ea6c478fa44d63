"""Trades the strategies' signals on paper, minute by minute of event time."""
