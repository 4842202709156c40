"""The public door: visitors and their chats, samples, consent, limits, erasure. Knows no feedback contest."""
