"""Laws of physics and engineering: samples, when a law counts as found, and tables."""
