"""Work that is a row: how it is dispatched, leased and shown; knows nothing of what the work is."""
