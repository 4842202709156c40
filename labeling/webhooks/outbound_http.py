"""HTTP requests to URLs that people enter: never to a private network, unless the host is listed in the settings.

The name is resolved once, every address of it is checked, and the connection goes to a checked address: a name that
resolves to another address the second time (DNS rebinding) gains nothing. Redirects are not followed.
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

SILENCE_SECONDS = 10.0  # without a byte from the server
LONGEST_SECONDS = 30.0  # for the whole request: a server that sends a byte now and then is never silent
_MOST_ADDRESSES = 3  # that are tried, each for SILENCE_SECONDS
_MOST_READ = 1024  # bytes of the answer's body, which is not used
# NAT64, 6to4 and Teredo: ipaddress calls some of these global, but they lead to IPv4 addresses, also private ones.
_TRANSITION_NETWORKS = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")))


class OutboundError(ValueError):
    """A URL that may not be requested, or does not answer; the text is for the person who entered it."""


class HostUnknown(OutboundError):
    """No address is known of its host, at least now."""


def require_public_url(url: str) -> None:
    """Raise OutboundError unless the URL may be requested. A name that cannot be resolved now is none of its faults."""
    host, port, *_rest = _parts(url)
    with suppress(HostUnknown):
        _addresses_of(host, port)


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """Send a POST request and return the status of the response. Raises OutboundError if there is none."""
    host, port, path, secure = _parts(url)
    connection = _PinnedConnection(host, port, _addresses_of(host, port), secure=secure)
    end = threading.Timer(LONGEST_SECONDS, connection.abort)
    end.start()
    try:
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        response.read(_MOST_READ)
        return response.status
    except (OSError, http.client.HTTPException) as error:
        raise OutboundError(_("%(host)s does not answer: %(error)s") % {"host": host, "error": error}) from error
    finally:
        end.cancel()
        connection.close()


class _PinnedConnection(http.client.HTTPConnection):
    """A connection to the first of these addresses that answers; its certificate must be valid for the host."""

    def __init__(self, host: str, port: int, addresses: list[str], *, secure: bool) -> None:
        super().__init__(host, port, timeout=SILENCE_SECONDS)
        self._addresses, self._secure = addresses, secure

    def connect(self) -> None:
        self.sock = self._first_that_answers()
        if self._secure:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)

    def abort(self) -> None:
        """End the connection from another thread: the thread that waits for the response gets an error."""
        sock = self.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _first_that_answers(self) -> socket.socket:
        *others, last = self._addresses
        for address in others:
            with suppress(OSError):
                return socket.create_connection((address, self.port), timeout=SILENCE_SECONDS)
        return socket.create_connection((last, self.port), timeout=SILENCE_SECONDS)


def _parts(url: str) -> tuple[str, int, str, bool]:
    """Host, port, path with query, and whether it is HTTPS."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise OutboundError(_("“%(url)s” is no address.") % {"url": url}) from error
    if parts.scheme not in ("https", "http") or not host or parts.username or parts.password or not _is_plain(url):
        raise OutboundError(_("“%(url)s” is no address as https://host/path.") % {"url": url})
    if parts.scheme == "http" and not _is_listed(host):
        raise OutboundError(_("It must begin with https://, so that nobody on the way reads along."))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return host, port or (443 if parts.scheme == "https" else 80), path, parts.scheme == "https"


def _is_plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url


def _is_listed(host: str) -> bool:
    return host in settings.WEBHOOK_PRIVATE_HOSTS


def _addresses_of(host: str, port: int) -> list[str]:
    """The first addresses of the host. Raises OutboundError if even one of all is not public."""
    try:
        found = [str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise HostUnknown(_("There is no %(host)s: %(error)s") % {"host": host, "error": error}) from error
    if not _is_listed(host) and not all(map(is_public, found)):
        raise OutboundError(_("%(host)s is in a private network; an admin can list it.") % {"host": host})
    return found[:_MOST_ADDRESSES]


def is_public(text: str) -> bool:
    """Whether an address is reachable on the public internet and leads to no private one."""
    address = ipaddress.ip_address(text.partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    reaches_ipv4 = any(address.version == network.version and address in network for network in _TRANSITION_NETWORKS)
    return address.is_global and not address.is_multicast and not reaches_ipv4
