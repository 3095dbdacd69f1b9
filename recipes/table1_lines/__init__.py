"""Lines 1 to 21 of the paper's Table 1: tasks, searches, when an answer counts, and the table."""
