"""The pages of rankings: views of five beats, which know requests and decide nothing."""
