"""A stand-in exchange that speaks the Polygon protocol over WebSocket and REST."""
