"""The web server's door."""

import os

from django.core.asgi import get_asgi_application

from labeling import engines

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labeling.settings")
engines.ensure()
application = get_asgi_application()
