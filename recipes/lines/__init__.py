"""Lines and other shapes in small images, and what methods make of them."""
