"""A request to an address that a person wrote down: never to a machine of our own network, unless it is listed.

The name is looked up once, every address of it is judged, and the connection goes to the very address that was
judged: a name that answers otherwise the second time gains nothing. Redirects are not followed.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
from contextlib import suppress
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

SECONDS = 10.0  # of silence
LONGEST_SECONDS = 30.0  # of all together: a server that dribbles is never silent
_MOST_ADDRESSES = 3
_MOST_READ = 1024  # bytes of an answer that nobody looks at
# Not private in the registry's eyes, but ways to private IPv4 addresses.
_DETOURS = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")))


class OutsideError(ValueError):
    """An address that is not called, or does not answer; the text is for the person who wrote it down."""


def require_callable(url: str) -> None:
    """Raises OutsideError on what is no address of a public server, as far as can be told without asking for it."""
    _parts(url)


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """Send it and return the status of the answer. Raises OutsideError where there is none."""
    host, port, path, secure = _parts(url)
    connection = _Pinned(host, port, _addresses_of(host, port), secure=secure)
    end = threading.Timer(LONGEST_SECONDS, connection.break_off)
    end.start()
    try:
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        response.read(_MOST_READ)
        return response.status
    except (OSError, http.client.HTTPException) as error:
        raise OutsideError(_("%(host)s does not answer: %(error)s") % {"host": host, "error": error}) from error
    finally:
        end.cancel()
        connection.close()


class _Pinned(http.client.HTTPConnection):
    """A connection to the first of these addresses that answers, which must prove that it is the host."""

    def __init__(self, host: str, port: int, addresses: list[str], *, secure: bool) -> None:
        super().__init__(host, port, timeout=SECONDS)
        self._addresses, self._secure = addresses, secure

    def connect(self) -> None:
        self.sock = self._first_that_answers()
        if self._secure:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)

    def break_off(self) -> None:
        """End it from another thread: whoever waits for the answer is told that the line is gone."""
        sock = self.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _first_that_answers(self) -> socket.socket:
        *others, last = self._addresses
        for address in others:
            with suppress(OSError):
                return socket.create_connection((address, self.port), timeout=SECONDS)
        return socket.create_connection((last, self.port), timeout=SECONDS)


def _parts(url: str) -> tuple[str, int, str, bool]:
    """Host, port, path with query, and whether it is HTTPS."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise OutsideError(_("“%(url)s” is no address.") % {"url": url}) from error
    if parts.scheme not in ("https", "http") or not host or parts.username or parts.password or not _is_plain(url):
        raise OutsideError(_("“%(url)s” is no address as https://host/path.") % {"url": url})
    if parts.scheme == "http" and not _is_listed(host):
        raise OutsideError(_("It must begin with https://, so that nobody on the way reads along."))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return host, port or (443 if parts.scheme == "https" else 80), path, parts.scheme == "https"


def _is_plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url


def _is_listed(host: str) -> bool:
    return host in settings.WEBHOOK_PRIVATE_HOSTS


def _addresses_of(host: str, port: int) -> list[str]:
    """The addresses of the host. Raises OutsideError if even one of them is not public."""
    try:
        found = [str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise OutsideError(_("There is no %(host)s: %(error)s") % {"host": host, "error": error}) from error
    if not _is_listed(host) and not all(map(is_public, found)):
        raise OutsideError(_("%(host)s is in a private network; an admin can list it.") % {"host": host})
    return found[:_MOST_ADDRESSES]


def is_public(text: str) -> bool:
    """Whether an address belongs to the internet at large."""
    address = ipaddress.ip_address(text.partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    detour = any(address.version == network.version and address in network for network in _DETOURS)
    return address.is_global and not address.is_multicast and not detour
