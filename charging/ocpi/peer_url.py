"""Which URLs we call: those of public hosts, over TLS, named plainly (trust.md §2 items 41 and 42).

Checked when a URL is learnt, so that the admin hears of it; the connection checks its address once more
(``charging.ocpi.transport``), for DNS may answer otherwise by then.
"""

import asyncio
import ipaddress
import socket
from typing import Final
from urllib.parse import SplitResult, urlsplit

from charging.errors import ChargingError

MAX_LENGTH: Final = 255


class UnusablePeerUrl(ChargingError):
    """A URL of a peer that we shall not call. Says why."""


async def check_peer_url(url: str, *, allow_private: bool) -> None:
    """Raise ``UnusablePeerUrl`` unless ``url`` may be called. ``allow_private`` takes plain HTTP and private hosts."""
    parts = _split(url)
    if parts.scheme != "https" and not (allow_private and parts.scheme == "http"):
        raise UnusablePeerUrl("the URL must begin with https://")
    if parts.username is not None or parts.password is not None:
        raise UnusablePeerUrl("the URL must not hold a user name")
    if not parts.hostname:
        raise UnusablePeerUrl("the URL names no host")
    if _is_disguised(parts.hostname):
        raise UnusablePeerUrl("the host is an address in disguise")
    if not allow_private:
        await _require_public(parts.hostname)


def same_host(url: str, other: str) -> bool:
    """Whether both lead to one host, and ``url`` is not the one without TLS."""
    try:
        here, there = urlsplit(url), urlsplit(other)
    except ValueError:
        return False
    is_downgrade = there.scheme == "https" and here.scheme != "https"
    return here.hostname is not None and here.hostname == there.hostname and not is_downgrade


def _split(url: str) -> SplitResult:
    if len(url) > MAX_LENGTH or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise UnusablePeerUrl("this is not a URL")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise UnusablePeerUrl("this is not a URL") from error
    return parts


def _is_disguised(host: str) -> bool:
    # inet_aton understands 2130706433, 0x7f.1 and 127.1; so do many HTTP clients.
    if _address(host) is not None:
        return False
    try:
        socket.inet_aton(host)
    except OSError:
        return False
    return True


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


async def _require_public(host: str) -> None:
    addresses = [a] if (a := _address(host)) else await _resolve(host)
    if not all(address.is_global and not address.is_multicast for address in addresses):
        raise UnusablePeerUrl("the host has no public address")


async def _resolve(host: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnusablePeerUrl("the host has no address") from error
    # A scope id ("fe80::1%eth0") is not part of the address.
    return [ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in found]
