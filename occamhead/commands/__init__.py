"""What stands behind the commands: their flags, their course, what they print and write."""
