"""What policies' limits are measured by: sealed probes, answers to them, labels. Knows no page."""
