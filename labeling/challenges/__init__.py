"""Feedback contests: entries made of reports, jurors, marks, results. Knows nothing of how models are trained."""
