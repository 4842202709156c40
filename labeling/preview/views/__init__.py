"""The pages of a preview: its door, the chat, Mine, and what an admin sets up."""
