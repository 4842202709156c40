"""Work that is a row: how it is dispatched, leased and shown. Does not know what the work is."""
