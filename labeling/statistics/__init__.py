"""Pure statistics: agreement, intervals, paired comparisons, length bias; no Django, no database rows."""
