"""Projects: settings, people, pages and what to do next; knows no training."""
