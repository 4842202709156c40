"""The pool of prompts, and near-duplicates among them; reads dialogues' rows, knows nothing of comparisons."""
