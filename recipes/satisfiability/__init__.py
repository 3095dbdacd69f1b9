"""MAX-SAT: formulas, ways to assign their variables, what is learned from, and tables."""
