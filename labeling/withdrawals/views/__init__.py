"""Views of withdrawals: access, a form, one domain call, a response."""
