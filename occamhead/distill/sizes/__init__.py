"""From circuits of a few sizes to one program for every size."""
