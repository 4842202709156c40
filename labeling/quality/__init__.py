"""Agreement, bias and one's own work, as pages show them; knows only how to read, and changes nothing."""
