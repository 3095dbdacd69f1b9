"""Heads for many classes at equal NEC: rows, methods, how they are judged, tables and a plot."""
