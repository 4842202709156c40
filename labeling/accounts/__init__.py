"""Accounts, roles, sign-in and API tokens. Knows nothing of the work in projects."""
