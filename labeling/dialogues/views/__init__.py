"""The pages of dialogues: views of five beats, which know requests and decide nothing."""
