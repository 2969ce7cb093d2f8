"""Postgres: the base of every model, the store-bound session, and nothing of the business."""
