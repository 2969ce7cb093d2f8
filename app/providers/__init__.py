"""Outside companies. Each module speaks our types to us and theirs to them; none knows an order."""
