"""The Python client of a Parley platform: `Client(url, token)`. Knows no other package.

Needs httpx2 only, and the command `parley` also shtab, which writes its completion.
"""

from parley.client import Client
from parley.connection import ParleyError

__all__ = ["Client", "ParleyError"]
