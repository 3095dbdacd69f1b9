"""From routes to scores: which functions were sampled, what they are worth; all compiled."""
