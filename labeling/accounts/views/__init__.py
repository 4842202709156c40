"""The pages of accounts: views of five beats, which know requests and decide nothing."""
