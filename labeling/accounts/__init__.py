"""Accounts, roles, sign-in and API tokens; knows nothing of the work in projects."""
