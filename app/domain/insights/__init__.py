"""What the owner's first page says: numbers in plain words, and one thing to try."""
