"""What Parley's figures are made with: `make bench`, or `make bench ONLY=queue`.

Every figure is a ratio of two sides run in turn in one process group, several times; the value is
the median, low and high are the extremes. docs/experiments.md says how to read them.
"""
