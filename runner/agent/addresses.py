"""Which addresses a tool may call that was not allowed the private ones. Pure.

Rule: only what is certainly a host of the public internet. An IPv6 address that carries an IPv4 address is
judged by that one too, since a translator on the way would deliver to it.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(host: str) -> bool:
    """Whether this address, in the notation of a socket's address, is a public one. A name never is."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return _is_public_v4(address)
    if address.ipv4_mapped is not None:
        return _is_public_v4(address.ipv4_mapped)
    if address in _NAT64:
        return _is_public_v4(IPv4Address(int(address) & 0xFFFF_FFFF))
    carried = [address.sixtofour, *(address.teredo or ())]
    return _is_public_v6(address) and all(_is_public_v4(v4) for v4 in carried if v4 is not None)


def _is_public_v4(address: IPv4Address) -> bool:
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _is_public_v6(address: IPv6Address) -> bool:
    outside = address.is_multicast or address.is_reserved or address.is_site_local
    return address.is_global and not outside
