"""What stands in a classifier's place: heads that are formulas, and how they are put there."""
