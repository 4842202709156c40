"""Views of projects: access, a form, one domain call, a response."""
