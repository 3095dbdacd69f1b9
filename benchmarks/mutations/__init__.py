"""Damaged and hostile inputs for everything that is parsed or read."""
