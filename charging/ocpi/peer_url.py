"""Which URLs we call: those of public hosts, over TLS, named plainly (docs/trust.md 2.41, 2.42).

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


Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Where clouds answer whoever asks with their machines' credentials, outside of the link-local ranges.
_METADATA: Final = frozenset(map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200", "192.0.0.192")))
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def may_be_private_peer(address: Address) -> bool:
    """Whether a peer may be there where private ones are allowed: never at link-local or metadata addresses.

    IPv4 in IPv6's clothes counts as what it is.
    """
    if isinstance(address, ipaddress.IPv6Address):
        inner = ipaddress.IPv4Address(address.packed[-4:]) if address in _NAT64 else address.ipv4_mapped
        address = inner or address
    is_odd = address.is_link_local or address.is_multicast or address.is_unspecified or _is_reserved(address)
    return not is_odd and address not in _METADATA


def _is_reserved(address: Address) -> bool:
    # ::1 is within a reserved block, and a peer on this machine is what tests and `charging up` have.
    return address.is_reserved and not address.is_loopback


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
    await _require_peer(parts.hostname, allow_private=allow_private)


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


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


async def _require_peer(host: str, *, allow_private: bool) -> None:
    address = _address(host)
    if allow_private:
        # A name is looked up when it is called, and its address checked then.
        if address is not None and not may_be_private_peer(address):
            raise UnusablePeerUrl("no peer can have this address")
        return
    addresses = [address] if address else await _resolve(host)
    if not all(found.is_global and not found.is_multicast for found in addresses):
        raise UnusablePeerUrl("the host has no public address")


async def _resolve(host: str) -> list[Address]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnusablePeerUrl("the host has no address") from error
    # A scope id ("fe80::1%eth0") is not part of the address.
    return [ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in found]
