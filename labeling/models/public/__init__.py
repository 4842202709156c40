"""The public half: previews, their visitors, feedback contests. Knows no page."""
