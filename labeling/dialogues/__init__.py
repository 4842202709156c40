"""Writing, chat, suggestions and review of dialogues; knows nothing of the ranking queue."""
