"""The queue of comparisons, the ranking screen, practice and gold items; knows nothing of exports."""
