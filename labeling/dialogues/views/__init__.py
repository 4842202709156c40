"""The views of dialogues: each authorises, reads a form, makes one domain call and answers."""
