"""Requests for completions, and the comparisons made of them; knows nothing of dialogues."""
