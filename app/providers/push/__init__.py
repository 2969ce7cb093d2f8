"""Notifications to browsers, through the push service that each browser names."""
