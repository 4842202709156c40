"""Where a worker may go, and by which key: its own environment says so, and nobody else.

A row of a policy or a filter names an address; were that enough, whoever writes rows could have a worker call any
address of its network, or send one server's key to another.
"""

import os
import re

import httpx2

from sampler.backends import BackendError

HOSTS = "PARLEY_BACKEND_HOSTS"


def endpoint(address: str, *, hosts: tuple[str, ...], path: str = "/chat/completions") -> httpx2.URL:
    """The URL of a path under a server's address. Raises BackendError unless `hosts` lists its host."""
    try:
        url = httpx2.URL(address)
    except httpx2.InvalidURL as error:
        raise BackendError(f"{address!r} is no address of a server: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise BackendError(f"{address!r} is no address of a server: it must begin with https:// or http://")
    if url.userinfo or url.query or url.fragment:
        raise BackendError("a server's address holds host, port and path only; a key belongs in the environment")
    if host_of(url) not in hosts:
        raise BackendError(
            f"this worker may not call {host_of(url)}; add it to {HOSTS} in its environment if it should"
        )
    return url.copy_with(path=url.path.rstrip("/") + path)


def key_for(url: httpx2.URL) -> str | None:
    """The key that the environment holds for this host."""
    return os.environ.get(key_name(url)) or None


def key_name(url: httpx2.URL) -> str:
    """The variable that holds a host's key: gpu1.example.org:8000 has PARLEY_BACKEND_KEY_GPU1_EXAMPLE_ORG_8000."""
    return "PARLEY_BACKEND_KEY_" + re.sub(r"[^A-Z0-9]+", "_", host_of(url).upper())


def host_of(url: httpx2.URL) -> str:
    """host:port, without the port where it is the scheme's own."""
    host = f"[{url.host}]" if ":" in url.host else url.host
    return host if url.port is None else f"{host}:{url.port}"
