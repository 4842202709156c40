"""The gold preference, a known scorer that ranks in place of people; needs `records`, but no Django and no database."""
