"""Which address a request comes from."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

from aiohttp import web

Address: TypeAlias = IPv4Address | IPv6Address
Networks: TypeAlias = Sequence[IPv4Network | IPv6Network]


def client_address(request: web.Request, trusted_proxies: Networks) -> Address | None:
    """The peer's address or, when that is a trusted proxy, the last address in X-Forwarded-For that is not one.

    None: unknown (a Unix socket, or a header that holds no address), which belongs to no network.
    """
    address = _address(request.remote or "")
    hops = [hop.strip() for value in request.headers.getall("X-Forwarded-For", []) for hop in value.split(",")]
    while address is not None and hops and within(address, trusted_proxies):
        address = _address(hops.pop())
    return address


def within(address: Address | None, networks: Networks) -> bool:
    """Whether the address is in one of the networks."""
    return address is not None and any(
        address.version == network.version and address in network for network in networks
    )


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
