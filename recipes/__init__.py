"""One experiment of the paper each: ``python -m recipes.NAME``."""
