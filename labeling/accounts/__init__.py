"""Who signs in, with which role, and who holds an API token; knows no project's work."""
