"""Settings of the floor: the platform's own, but two views and no middleware beyond session and sign-in."""

from labeling.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.floor"
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
