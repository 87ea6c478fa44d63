"""What keeps the database in order."""
