"""What the recipes share besides `occamhead.commands`: rows, means, a bar, programs run."""
