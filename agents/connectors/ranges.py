"""Which addresses are not the public Internet: IANA's special-purpose registries and where clouds keep metadata."""

import ipaddress
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")

# Not a name's business even when an admin allowed that name: only an address or a range given as such opens them.
_NEVER_BY_NAME = [
    (ipaddress.ip_network(network), words)
    for network, words in (
        ("169.254.0.0/16", "link-local, where clouds keep their metadata"),
        ("fe80::/10", "link-local"),
        ("fd00:ec2::/32", "where clouds keep their metadata"),
        ("100.100.100.200/32", "where clouds keep their metadata"),
        ("168.63.129.16/32", "where clouds keep their metadata"),
        ("192.0.0.192/32", "where clouds keep their metadata"),
        ("0.0.0.0/8", "unspecified"),
        ("::/128", "unspecified"),
        ("224.0.0.0/4", "multicast"),
        ("ff00::/8", "multicast"),
        ("255.255.255.255/32", "broadcast"),
    )
]
# The special-purpose registries of IANA, spelt out so that the version of Python changes nothing.
_PRIVATE = [
    (ipaddress.ip_network(network), words)
    for network, words in (
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by a carrier's customers"),
        ("127.0.0.0/8", "loopback"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "for documentation"),
        ("192.31.196.0/24", "reserved"),
        ("192.52.193.0/24", "reserved"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("192.175.48.0/24", "reserved"),
        ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("240.0.0.0/4", "reserved"),
        ("::1/128", "loopback"),
        ("fc00::/7", "private"),
        ("64:ff9b:1::/48", "a private translation of IPv4"),
        ("2001::/32", "a Teredo tunnel, which hides an IPv4 address"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "for documentation"),
        ("2002::/16", "a 6to4 tunnel, which hides an IPv4 address"),
        ("3fff::/20", "for documentation"),
    )
]


def unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv4-mapped or NAT64 address stands for; any other is itself."""
    if isinstance(address, ipaddress.IPv6Address) and (address in _MAPPED or address in _NAT64):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


@lru_cache(4096)
def never_by_name(address: Address) -> str:
    """In words what `address` is that not even an allowed name may lead to, or ""."""
    return _words(unwrapped(address), _NEVER_BY_NAME)


@lru_cache(4096)
def private(address: Address) -> str:
    """In words why `address` is not public, or ""."""
    inner = unwrapped(address)
    outside = isinstance(inner, ipaddress.IPv6Address) and inner not in _GLOBAL_V6
    return _words(inner, _PRIVATE) or ("reserved" if outside else "")


def _words(address: Address, table: list[tuple[Network, str]]) -> str:
    return next((words for network, words in table if address in network), "")
