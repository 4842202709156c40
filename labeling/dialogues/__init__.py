"""Writing, chat, suggestions and review; knows nothing of rankings."""
