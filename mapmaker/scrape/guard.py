"""Who may be connected to: public addresses, checked at the very moment the socket is opened.

A name is resolved here, every address it has is judged, and the connection goes to the address
that was judged; nobody resolves the name a second time. TLS still checks the host's name.
"""

import ipaddress
import socket
from collections.abc import Collection

from mapmaker.scrape.answer import Refused

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_UNICAST = ipaddress.IPv6Network("2000::/3")
_TUNNELS = (ipaddress.IPv6Network("2002::/16"), ipaddress.IPv6Network("2001::/32"))


class Internet:
    """Names and sockets, as the operating system gives them."""

    def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of `host`, in the order to try them. Raises OSError."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(info[4][0]) for info in found))

    def dial(self, address: str, port: int, timeout_s: float) -> socket.socket:
        """Return a socket connected to `address`, which is no name. Raises OSError."""
        return socket.create_connection((address, port), timeout_s)


class Guard:
    """Opens connections. `allowed` are the host:port a person has allowed by name, public or not.

    Safe to use from several threads.
    """

    def __init__(self, allowed: Collection[str] = (), internet: Internet | None = None) -> None:
        self.allowed = frozenset(origin.lower() for origin in allowed)
        self.internet = internet or Internet()

    def connect(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """Return a socket to `host`, at an address that was checked.

        Raises Refused("unsafe-link") when one of its addresses is not public, OSError when no
        connection comes about.
        """
        addresses = self.internet.resolve(host, port)
        public = all(is_public(address) for address in addresses)
        if not public and f"{host}:{port}".lower() not in self.allowed:
            raise Refused("unsafe-link", final=True)
        last: OSError = OSError(f"{host} has no address")
        for address in addresses:
            try:
                sock = self.internet.dial(address, port, timeout_s)
            except OSError as error:
                last = error
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        raise last


def is_public(address: str) -> bool:
    """True for an address anybody on the Internet may be meant by.

    An IPv4 address inside an IPv6 one (mapped, NAT64) is judged as what it stands for; tunnels that
    carry one (6to4, Teredo) lead nowhere one would fetch a map, and are not public here.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if ip not in _UNICAST or any(ip in tunnel for tunnel in _TUNNELS):
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def is_private(host: str) -> bool:
    """True for a name or number that can only mean a machine of one's own network."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host.isdigit() or host == "localhost" or "." not in host
