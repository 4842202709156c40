"""A project: its settings, its people, its pages and what to do next in it; knows no training."""
