"""Which version of Parley runs. Shown to those who work here, and to nobody else: it says which holes are open."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def running_version() -> str:
    """As the installed package says; nothing where Parley was never installed."""
    try:
        return version("parley")
    except PackageNotFoundError:
        return ""
