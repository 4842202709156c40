"""How long what is kept, and erasing a person who works here. Knows no page of others, and nothing of the API."""
