"""The pages of exports: views of five beats, which know requests and decide nothing."""
