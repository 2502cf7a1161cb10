"""The HTML pages: rows of the board in, documents out."""
