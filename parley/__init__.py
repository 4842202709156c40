"""The Python client of a Parley platform: `Client(url, token)`. Needs httpx2 only, and knows no other package."""

from parley.client import Client
from parley.connection import ParleyError

__all__ = ["Client", "ParleyError"]
