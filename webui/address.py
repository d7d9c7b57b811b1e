"""Where the page listens: what GRADIO_SERVER_NAME and GRADIO_SERVER_PORT name, or port 7860 of this machine or the next one."""

import contextlib
import errno
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import uvicorn

from webui.connections import bound_connections
from webui.limits import Limits

DEFAULT_NAME, DEFAULT_PORT = "127.0.0.1", 7860
TRIED = 100
"""So many ports are tried where none is named."""
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Names of all addresses of this machine, and the one at which it reaches itself then."""


@dataclass(frozen=True)
class Address:
    """Sockets that listen already, and their name and port for people."""

    sockets: list[socket.socket]
    name: str
    port: int

    @property
    def own(self) -> str:
        """The name by which this machine reaches the page, as in an URL."""
        return _in_url(EVERYWHERE.get(self.name, self.name))


def named_address(environment: dict[str, str]) -> tuple[str, int | None]:
    """What the environment names, which is taken out of it: Gradio would end with a traceback for some of it.

    Returns:
        A name, and a port or None. `::` is all addresses of this machine, also those of the older kind.
    """
    name = environment.pop("GRADIO_SERVER_NAME", "").strip().removeprefix("[").removesuffix("]") or DEFAULT_NAME
    port, _ = environment.pop("GRADIO_SERVER_PORT", "").strip(), environment.pop("GRADIO_NUM_PORTS", None)
    if port and not (port.isdecimal() and 1 <= int(port) <= 65535):
        sys.exit(f"error: GRADIO_SERVER_PORT is {ascii(port)}, which is no port: name one from 1 to 65535.")
    return name, int(port) if port else None


def known_names(environment: Mapping[str, str]) -> set[str]:
    """Names by which servers before the page let it be asked for: a Space's, and that of an address in GRADIO_ROOT_PATH."""
    root = environment.get("GRADIO_ROOT_PATH", "")
    named = environment.get("SPACE_HOST"), urlsplit(root).hostname if "://" in root else None
    return set(filter(None, named))


def listen(name: str = DEFAULT_NAME, port: int | None = None) -> Address:
    """Listen there, or end the program with one line that says why that is not possible. Without a port, one that is free
    is taken, and another one than DEFAULT_PORT is said."""
    ports = [port] if port else list(range(DEFAULT_PORT, DEFAULT_PORT + TRIED))
    for number in ports:
        try:
            sockets = _listen(name, number)
        except (OSError, UnicodeError) as error:
            code = getattr(error, "errno", None)
            if code == errno.EADDRINUSE:
                continue
            if code == errno.EACCES:
                remedy = "Name another port in GRADIO_SERVER_PORT."
            else:
                remedy = "Set GRADIO_SERVER_NAME to an address of this machine, or to 0.0.0.0 or :: for all of them."
            reason = (getattr(error, "strerror", None) or "no such name").partition(" (while")[0]
            sys.exit(f"error: the page cannot listen at {_in_url(name)}:{number} ({reason}). {remedy}")
        if number != ports[0]:
            print(f"Port {ports[0]} is taken: the page is at port {number}.")
        return Address(sockets, name, number)
    if port:
        sys.exit(
            f"error: port {port} of {name} is taken. End the program that has it, or name another GRADIO_SERVER_PORT."
        )
    sys.exit(f"error: the ports {ports[0]} to {ports[-1]} of {name} are taken. Name another one in GRADIO_SERVER_PORT.")


def _listen(name: str, port: int) -> list[socket.socket]:
    if name == "::" and socket.has_dualstack_ipv6():
        return [socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)]
    with contextlib.ExitStack() as opened:
        sockets = []
        for family, *_, address in dict.fromkeys(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)):
            try:
                sockets.append(opened.enter_context(socket.create_server(address, family=family)))
            except OSError as error:
                # "localhost" is an address of both kinds, of which a machine may have one alone.
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                failure = error
        if not sockets:
            raise failure
        opened.pop_all()
    return sockets


def start_server(address: Address, limits: Limits, app, **_) -> tuple[str, int, str, uvicorn.Server]:
    """In place of gradio.http_server.start_server, which tries names and ports with sockets of the older kind alone, and whose
    first connections would be without limits."""
    from gradio.http_server import Server

    # Whom a proxy tells of is for webui.visitors.
    server = Server(uvicorn.Config(app, log_level="warning", proxy_headers=False))
    server.config.load()
    bound_connections(server, limits)
    setattr(server, "run", partial(server.run, address.sockets))
    server.run_in_thread()
    return _in_url(address.name), address.port, f"http://{address.own}:{address.port}/", server


def _in_url(name: str) -> str:
    return f"[{name}]" if ":" in name else name
