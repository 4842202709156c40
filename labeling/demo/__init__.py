"""The demo: the loop once round, unattended, and a report of it; knows nothing that people could not do by hand."""
