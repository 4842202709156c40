"""Webhooks: events that are posted to addresses outside; knows nothing of what the events mean."""
