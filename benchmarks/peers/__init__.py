"""Other backtesters, each running the rule of `tracker.testing.ema_cross` in its own usual way.

Every module has NAME (as pip knows it), CAUSES and RTOL for
`peers.agreement`, `version()` and `run(series, params, own_indicators)`.
"""
