"""Pages of policies' limits: figures with the start of a run, and the queue in which answers are labelled."""
