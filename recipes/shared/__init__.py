"""What the recipes share: flags, the course of a run, and what it prints and writes."""
