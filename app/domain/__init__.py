"""The business: rules and use cases. Knows nothing of HTTP, queues or templates."""
