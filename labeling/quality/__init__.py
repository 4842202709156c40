"""Quality: agreement, bias and a person's own statistics, as pages show them; knows only how to read."""
