"""The pool of prompts and their near-duplicates; knows nothing of dialogues or comparisons."""
