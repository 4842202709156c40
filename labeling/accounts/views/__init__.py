"""The views of accounts: each authorises, reads a form, makes one domain call and answers."""
