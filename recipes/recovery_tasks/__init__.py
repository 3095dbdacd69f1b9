"""Recovery of published laws: rows, scaled peers, when a law counts as found, tables, the curve."""
