"""The pages of rounds: views of five beats, which know requests and decide nothing."""
