"""A round: its steps, training jobs, evaluation and promotion; knows no other project."""
