"""The shared library of the Crypto Tracker fleet."""
