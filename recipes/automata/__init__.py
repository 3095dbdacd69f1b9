"""Cellular automata: rules, windows to learn from, methods, tables and pictures."""
