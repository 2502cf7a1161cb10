"""A raw XML body in, a proven page out."""
