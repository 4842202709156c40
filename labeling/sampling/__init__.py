"""Requests for completions, and the comparisons made of them; reads dialogues, knows nothing of how they are edited."""
