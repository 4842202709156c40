"""Taking back: a person's work as a whole, what that touches, and what is made anew. Knows nothing of the API."""
