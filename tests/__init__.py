"""The tests, by package; this file makes `tests` ours where an installed package brings a folder of that name."""
