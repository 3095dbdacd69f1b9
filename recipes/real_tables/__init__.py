"""The tables of numbers of the paper's section 5: files, splits, and what is printed."""
