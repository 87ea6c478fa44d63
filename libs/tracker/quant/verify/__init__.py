"""The hunt for look-ahead and for history too short, on anything that turns bars into numbers at closes."""
