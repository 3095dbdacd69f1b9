"""Arithmetic on lists: tasks, methods, their table, and the sorting of three numbers."""
