"""What the desk does for those who call it."""
