"""What is written stays, and what is read is what was written."""
