"""Views of rounds: access, a form, one domain call, a response."""
