"""Who asks: the address by which visitors are told apart, where servers between them and the page say it."""

import ipaddress
import sys
from collections.abc import Mapping
from functools import lru_cache

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import Scope

PRIVATE = -1
"""In place of a number of proxies: all that have private addresses, as those of a Space."""


def named_proxies(environment: Mapping[str, str]) -> int:
    """How many servers stand before the page and tell the address of who asked them: what IFADE_PROXIES says, a number or
    "private"; on a Space PRIVATE, else none."""
    named = environment.get("IFADE_PROXIES", "").strip() or ("private" if environment.get("SPACE_ID") else "0")
    if named == "private":
        return PRIVATE
    if not (named.isdecimal() and int(named) <= 16):
        sys.exit(f"error: IFADE_PROXIES is {ascii(named)}: name how many proxies stand before the page, or private.")
    return int(named)


def visitor_of(scope: Scope, proxies: int) -> str:
    """The address of who asks, of the newer kind the network: a household has 2**64 of those.

    Each proxy adds the address that it was asked from to the end of X-Forwarded-For, so what stands before the trusted ones may
    be anything that a client made up.
    """
    peer = (scope.get("client") or ("",))[0]
    if not proxies:
        return _told_apart(peer)
    told = [part.strip() for line in Headers(scope=scope).getlist("x-forwarded-for") for part in line.split(",")]
    way = [*filter(None, told), peer]
    if proxies == PRIVATE:
        return _told_apart(next((address for address in reversed(way) if _is_public(address)), way[0]))
    return _told_apart(way[max(0, len(way) - 1 - proxies)])


def visitor(request: HTTPConnection) -> str:
    """The same of a request that has come through `webui.guard`, which writes it down."""
    return request.client.host if request.client else ""


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


def _is_public(address: str) -> bool:
    parsed = _parsed(address)
    return parsed is not None and parsed.is_global


@lru_cache(4096)
def _told_apart(address: str) -> str:
    parsed = _parsed(address)
    if parsed is None:
        return address[:64]
    return str(parsed if parsed.version == 4 else ipaddress.ip_network((parsed, 64), strict=False))
