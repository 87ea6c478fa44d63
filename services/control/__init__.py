"""The `tracker` command line: starts, watches and stops the fleet on one machine."""
