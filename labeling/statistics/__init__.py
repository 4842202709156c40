"""Figures from plain numbers: agreement, intervals, paired comparisons; no Django, no rows."""
