"""Writing, chat, suggestions and review of dialogues. Knows nothing of the ranking queue."""
