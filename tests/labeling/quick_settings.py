"""The platform's own settings for a server that a test starts, but a wrong password costs it nothing to look at."""

from labeling.settings import *  # noqa: F403

# Argon2 stays for what it hashed before.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *PASSWORD_HASHERS]  # noqa: F405
