"""Quality: agreement, bias, and a person's own statistics, as pages show them; reads only."""
