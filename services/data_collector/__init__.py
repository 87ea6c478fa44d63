"""Bars from a vendor, into `ohlc_data`, with roll-ups, watermarks and start-up history."""
