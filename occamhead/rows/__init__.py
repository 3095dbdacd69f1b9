"""Labelled rows: what is minimised on them, the dense head, and which features tell most."""
