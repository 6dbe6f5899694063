"""The one outbound door: where a connection may go. Names are resolved once, each address checked and pinned."""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import idna
from aiohttp.abc import AbstractResolver, ResolveResult

from agents.connectors.fields import ConfigError, Problem
from agents.connectors.ranges import Address, Network, never_by_name, private, unwrapped

# Where something else than HTTP listens that a request could be smuggled into.
NOT_HTTP = frozenset(
    {1, 7, 9, 13, 19, 20, 21, 22, 23, 25, 53, 69, 79, 110, 111, 119, 123, 135, 137, 139, 143, 161, 179, 389, 445, 465}
    | {512, 513, 514, 515, 587, 636, 873, 993, 995, 1433, 1521, 2049, 2375, 3306, 3389, 5432, 6000, 6379, 11211, 27017}
)

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class AddressRefused(ValueError):
    """The door stays shut; the text says which address, why, and what would open it."""


@dataclass(frozen=True, slots=True)
class AddressRules:
    """What an admin allowed beyond the public Internet, each for one port or (None) for all."""

    names: frozenset[tuple[str, int | None]] = frozenset()
    networks: tuple[tuple[Network, int | None], ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> "AddressRules":
        """From `crm.internal`, `crm.internal:8443`, `10.1.0.0/16`, `127.0.0.1:8025`, `[::1]:25`. Raises ConfigError."""
        names: set[tuple[str, int | None]] = set()
        networks: list[tuple[Network, int | None]] = []
        problems: list[Problem] = []
        for entry in entries:
            try:
                text = str(entry).strip()
                if "/" in text:
                    networks.append((ipaddress.ip_network(text), None))
                    continue
                host, port = (text, None) if text.count(":") > 1 and "[" not in text else split_port(text)
                host = canonical_host(host)
                literal = literal_of(host)
                if literal is None:
                    names.add((host, port))
                else:
                    networks.append((ipaddress.ip_network(literal), port))
            except ValueError as fault:
                mend = "Give a host, a host and port, an address, or a range such as 10.1.0.0/16."
                problems.append(Problem(f"allowed host “{str(entry)[:80]}”", str(fault), mend))
        if problems:
            raise ConfigError(problems)
        return cls(frozenset(names), tuple(networks))

    def names_host(self, host: str, port: int) -> bool:
        """Whether an admin allowed this very host: its name, or the range it is an address of."""
        literal = literal_of(host)
        if literal is not None:
            return self._network_allows(literal, port)
        return (host, port) in self.names or (host, None) in self.names

    def check(self, address: Address, *, host: str, port: int) -> None:
        """Raise AddressRefused unless `address`, which `host` resolved to (or is), may be connected to."""
        if self._network_allows(address, port):
            return
        shown = str(address) if literal_of(host) is not None else f"{host} is {address}, which"
        if why := never_by_name(address):
            raise AddressRefused(f"{shown} is {why}: refused unless an admin allows that address itself")
        if (why := private(address)) and not self.names_host(host, port):
            raise AddressRefused(f"{shown} is {why}: refused unless an admin allows that host on this connection")

    def _network_allows(self, address: Address, port: int) -> bool:
        inner = unwrapped(address)
        return any(only in (None, port) and (address in network or inner in network) for network, only in self.networks)


def literal_of(host: str) -> Address | None:
    """The address that a canonical host is the spelling of, or None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def canonical_host(host: str) -> str:
    """
    The one spelling of a host: a plain IPv4 or IPv6 address without brackets, or a lower-case ASCII name.

    Raises AddressRefused for whatever different readers could read differently.
    """
    if not host or len(host) > 255:
        raise AddressRefused("the host is missing or too long")
    if "%" in host or any(not c.isprintable() or c.isspace() or c in "\\@/?#" for c in host):
        raise AddressRefused("the host holds a character that no host has")
    if host.startswith("[") or host.count(":") > 1:
        try:
            return str(ipaddress.IPv6Address(host.removeprefix("[").removesuffix("]")))
        except ValueError:
            raise AddressRefused("the host is not an IPv6 address") from None
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True, std3_rules=True).decode()
        except idna.IDNAError:
            raise AddressRefused("the host is not a valid international name") from None
    host = host.lower()
    if host.endswith("."):
        raise AddressRefused("the host ends with a dot: leave it out")
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise AddressRefused("the host is an address in disguise: write it as four plain numbers") from None
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressRefused("the host is not a valid name")
    return host


def split_port(authority: str) -> tuple[str, int | None]:
    """A host, as written, and its port, if one is given. Raises AddressRefused."""
    host, colon, port = authority, "", ""
    if authority.startswith("["):
        host, bracket, rest = authority.partition("]")
        host += bracket
        if not bracket or (rest and not rest.startswith(":")):
            raise AddressRefused("the host's brackets do not close")
        colon, port = rest[:1], rest[1:]
    elif ":" in authority:
        host, colon, port = authority.rpartition(":")
    if not colon:
        return host, None
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise AddressRefused("the port is not a number from 1 to 65535")
    return host, int(port)


@dataclass(frozen=True, slots=True)
class Place:
    """An HTTP address that may be tried: `host` is canonical, `path` begins with a slash and may hold a query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        """Scheme, host and port, without the path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == (443 if self.scheme == "https" else 80)
        return f"{self.scheme}://{host}" if usual else f"{self.scheme}://{host}:{self.port}"


def check_url(url: str, rules: AddressRules) -> Place:
    """Where `url` leads, with its host checked as far as it can be without resolving. Raises AddressRefused."""
    if len(url) > 2048 or any(not c.isprintable() or c.isspace() or c == "\\" for c in url):
        raise AddressRefused("the address is too long or holds a space, a backslash or a control character")
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in ("http", "https"):
        raise AddressRefused("the address does not begin with https:// or http://")
    try:
        parts: SplitResult = urlsplit(f"{scheme}://{rest}")
    except ValueError:
        raise AddressRefused("the address cannot be read") from None
    if "@" in parts.netloc:
        raise AddressRefused("the address holds a name or password: put them into the secret")
    if parts.fragment or "#" in rest:
        raise AddressRefused("the address holds a #, which is never sent")
    written, given = split_port(parts.netloc)
    host, port = canonical_host(written), given or (443 if scheme == "https" else 80)
    check_host(host, port, rules)
    if port in NOT_HTTP and not rules.names_host(host, port):
        raise AddressRefused(f"port {port} is not one for HTTP: refused unless an admin allows that host")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(scheme=scheme, host=host, port=port, path=path)


def check_host(host: str, port: int, rules: AddressRules) -> None:
    """Raise AddressRefused where a canonical host can be refused without resolving it."""
    literal = literal_of(host)
    if literal is not None:
        rules.check(literal, host=host, port=port)
    elif host.split(".")[-1] == "localhost" and not rules.names_host(host, port):
        raise AddressRefused(f"{host} is loopback: refused unless an admin allows that host on this connection")


async def resolve(host: str, port: int, rules: AddressRules) -> list[tuple[int, str]]:
    """
    (family, address) for every address of a canonical host, all of them allowed: connect to these and to no name.

    Raises AddressRefused if any is not allowed, OSError if there is none.
    """
    literal = literal_of(host)
    if literal is not None:
        rules.check(literal, host=host, port=port)
        return [(socket.AF_INET6 if literal.version == 6 else socket.AF_INET, host)]
    check_host(host, port, rules)
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    pinned = dict.fromkeys((int(family), str(sockaddr[0])) for family, _, _, _, sockaddr in found)
    for _, address in pinned:
        rules.check(ipaddress.ip_address(address), host=host, port=port)
    if not pinned:
        raise OSError(f"{host} has no address")
    return list(pinned)


class CheckedResolver(AbstractResolver):
    """aiohttp's resolver for one connection. Literals never come here: `check_url` has seen to those."""

    def __init__(self, rules: AddressRules) -> None:
        self._rules = rules

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The checked addresses of `host`. Raises AddressRefused or OSError."""
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=kind,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, address in await resolve(host, port, self._rules)
        ]

    async def close(self) -> None:
        """Nothing is held."""
