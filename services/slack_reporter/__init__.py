"""Tells people: reports by a timetable, alerts as they come, each delivered at least once and shown once."""
