"""How accounts are opened: sessions, and links that open one once."""
