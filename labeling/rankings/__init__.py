"""The queue, the board, practice and gold items; knows nothing of exports or rounds."""
