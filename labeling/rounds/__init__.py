"""Rounds: steps, training jobs, policy evaluation and promotion; knows no other project than its round's."""
