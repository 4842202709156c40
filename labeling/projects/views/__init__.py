"""The pages of projects: views of five beats, which know requests and decide nothing."""
