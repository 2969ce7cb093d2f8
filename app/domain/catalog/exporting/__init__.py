"""A store's goods, and all else it owns, as files that other programs read and ours takes back."""
