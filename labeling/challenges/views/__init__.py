"""The pages of feedback contests: for anyone, for entrants, for jurors, for admins."""
