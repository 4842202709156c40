"""The demo: the whole loop once round, unattended, and a report of what came of it."""
