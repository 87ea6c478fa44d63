"""What every service shares at run time: settings, loop, health, logging."""
