"""Who may open what: the decorators of views, and access to models. Knows only rows, as labeling.web does."""
