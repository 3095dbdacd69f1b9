"""From rows to a fitted head: the module, the course, and fine-tuning."""
