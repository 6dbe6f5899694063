"""HOSTILE 24: whatever an address looks like or a name resolves to, nothing inside is connected to unless allowed."""

import asyncio
import ipaddress
import random
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from agents.connectors import ConfigError, Connector, Verdict
from agents.models import Connection
from agents.registry import make_connector
from tests.connectors.far_side import FarSide, Visit, out

INSIDE = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32", "100.100.100.200/32",
)  # fmt: skip
INSIDE_6 = ("::/128", "::1/128", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8", "fd00:ec2::254/128", "2001:db8::/32")
PUBLIC = "93.184.215.14"
REDIRECTS = ("301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent", "300 Choices", "201 Created")
MAIL = {"from_address": "a@seller.example", "tls": "starttls"}
ADDRESSES, NAMES = 600, 600

_watching: list[list[str]] = []


def _hook(event: str, given: tuple[object, ...]) -> None:
    """See every connection that this process begins, and let none leave the machine."""
    if event == "socket.connect" and _watching and isinstance(given[1], tuple):
        host = str(given[1][0])
        _watching[-1].append(host)
        if not ipaddress.ip_address(host.partition("%")[0]).is_loopback:
            raise OSError(f"{host} was not connected to")


sys.addaudithook(_hook)


@pytest.fixture
def connects() -> Iterator[list[str]]:
    """The addresses that were connected to, or would have been."""
    _watching.append([])
    yield _watching[-1]
    _watching.pop()


@pytest.fixture
def names(monkeypatch) -> dict[str, list[list[str]]]:
    """Stands in for DNS: each look-up of a name takes the next of its answers, the last one for ever."""
    answers: dict[str, list[list[str]]] = {}
    real = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **kwargs):
        host = host.decode() if isinstance(host, bytes) else host
        if host not in answers:
            return real(host, port, *args, **kwargs)
        given = answers[host].pop(0) if len(answers[host]) > 1 else answers[host][0]
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in given
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return answers


@asynccontextmanager
async def listener() -> AsyncIterator[asyncio.Server]:
    """Counts (`accepted`) what comes to any address of this machine, IPv4 and IPv6, and hangs up."""

    def count(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.accepted += 1
        writer.close()

    sock = socket.socket(socket.AF_INET6)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", 0))
    server = await asyncio.start_server(count, sock=sock)
    server.accepted, server.port = 0, sock.getsockname()[1]
    async with server:
        yield server


def own_addresses() -> list[str]:
    """Addresses under which this machine can be reached."""
    found = {"127.0.0.1", "127.9.9.9", "0.0.0.0", "::1", "::"}
    found |= {each[4][0] for each in socket.getaddrinfo(socket.gethostname(), None)}
    return sorted(one for one in found if "%" not in one)


def spellings(rng: random.Random, text: str) -> list[str]:
    """An address as it might stand in a configuration, the honest spelling first."""
    address = ipaddress.ip_address(text)
    if address.version == 6:
        full, groups = address.exploded, address.exploded.split(":")
        zero = ":".join(group.lstrip("0") or "0" for group in groups)
        return [f"[{address}]", f"[{full}]", f"[{zero}]", f"[{full.upper()}]", f"[{address}%25lo]", str(address)]
    whole, parts = int(address), [int(part) for part in text.split(".")]
    hexed = f"{whole:08x}"
    mapped = f"{hexed[:4]}:{hexed[4:]}"
    forms = [str, oct_, hex, "{:04d}".format, "0x{:04x}".format, "0{:o}".format, "{:03d}".format]
    return [
        text, str(whole), hex(whole), oct_(whole), f"{parts[0]}.{whole & 0xFFFFFF}",
        f"{parts[0]}.{parts[1]}.{whole & 0xFFFF}", ".".join(rng.choice(forms)(part) for part in parts),
        ".".join(str(part + 256) for part in parts), f"{whole + 2**32}", f"{text}.", f"[::ffff:{text}]",
        f"[::FFFF:{mapped}]", f"[0:0:0:0:0:ffff:{mapped}]", f"[::{text}]", f"[::ffff:0:{text}]", f"[64:ff9b::{text}]",
        f"[64:ff9b::{mapped}]", f"[64:ff9b:1::{mapped}]", f"[2002:{mapped}::1]", f"[2001:0:{mapped}::1]",
        text.translate(str.maketrans("0123456789", "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19")),
        text.replace(".", "\u3002"), text.replace(".", "\uff0e"), "".join(f"%{ord(c):02x}" for c in text),
        f"user@{text}", f"{PUBLIC}@{text}", f"{PUBLIC}#@{text}", f"{PUBLIC}\\@{text}", f" {text}", f"{text}\t",
        f"{text}\0.example.com", f"[{text}]",
    ]  # fmt: skip


def oct_(number: int) -> str:
    return f"0{number:o}"


def connector(kind: str, allowed: tuple[str, ...] = (), **config: object) -> Connector | None:
    """As the loop makes it; None where it can't even be configured."""
    try:
        return make_connector(kind, MAIL | config if kind == "email" else config, {}, allowed)
    except ConfigError:
        return None


async def use(one: Connector) -> list[Verdict]:
    """Everything that connects: sending and trying out."""
    payload = {"to": "b@customer.example", "subject": "s", "text": "t"} if one.kind == "email" else {"json": {}}
    answers = [await one.send(out(payload, permit=0.5, timeout=0.5)), await one.test()]
    await one.close()
    return [answer.verdict for answer in answers]


async def test_no_spelling_of_an_address_inside_is_connected_to(hostile, rng, connects):
    """Every spelling of this machine's own addresses and of random ones in every private range, for HTTP and mail."""
    tried = configured = 0
    async with listener() as inside:
        given = [*own_addresses(), "169.254.169.254", "fd00:ec2::254"]
        given += [_within(rng, network) for network in rng.choices(INSIDE + INSIDE_6, k=hostile.of(ADDRESSES))]
        for address in given:
            for host in spellings(rng, address):
                for kind, config in (
                    ("http", {"base_url": f"http://{host}:{inside.port}/"}),
                    ("http", {"base_url": f"https://{host}:{inside.port}/", "lookup_path": "/{action_id}"}),
                    ("email", {"host": host, "port": inside.port}),
                ):
                    tried += 1
                    one = connector(kind, **config)
                    if one is not None:
                        configured += 1
                        assert Verdict.DELIVERED not in await use(one), config
        assert (inside.accepted, connects) == (0, [])
    print(f"{tried} configurations tried, {configured} could be made, 0 connections")


async def test_no_name_that_leads_inside_is_connected_to(hostile, rng, connects, names):
    """A name that resolves inside, now or the next time, wholly or among others, in any notation."""
    async with listener() as inside:
        for number in range(hostile.of(NAMES)):
            private = rng.choice([*own_addresses(), *(_within(rng, one) for one in rng.sample(INSIDE + INSIDE_6, 3))])
            private = rng.choice(_disguised(private))
            name = f"crm-{number}.example"
            names[name] = rng.choice(
                [
                    [[private]],
                    [[PUBLIC, private]],
                    [[private, PUBLIC]],
                    [[PUBLIC], [private]],
                    [[PUBLIC], [PUBLIC, private]],
                ]
            )
            kind = rng.choice(["http", "email"])
            config = (
                {"base_url": f"http://{name}:{inside.port}"} if kind == "http" else {"host": name, "port": inside.port}
            )
            one = connector(kind, **config)
            assert one is not None
            for _ in range(3):
                assert Verdict.DELIVERED not in await use(one)
        assert inside.accepted == 0
        assert set(connects) <= {PUBLIC}
    print(f"{len(names)} names, {len(connects)} connections to the public address, 0 inside")


async def test_a_name_is_resolved_once_for_a_connection(connects, names):
    """What was checked is what is connected to, however fast the name changes."""
    async with listener() as inside:
        for kind in ("http", "email"):
            names["fast.example"] = [[PUBLIC], ["127.0.0.1"]] * 20
            config = {"base_url": f"http://fast.example:{inside.port}", "host": "fast.example", "port": inside.port}
            one = connector(
                kind, **{name: config[name] for name in (["base_url"] if kind == "http" else ["host", "port"])}
            )
            for _ in range(20):
                await use(one)
        assert inside.accepted == 0
        assert set(connects) == {PUBLIC}


async def test_no_redirect_or_path_leads_inside(connects):
    async with listener() as inside:
        answers = iter(REDIRECTS)
        places = [f"http://127.0.0.1:{inside.port}/", f"//localhost:{inside.port}/", f"http://[::1]:{inside.port}/"]

        async def redirect(visit: Visit) -> None:
            place = places[visit.nth % len(places)]
            visit.answer(next(answers), Location=place, Refresh=f"0; url={place}", Content_Location=place)

        async with FarSide(redirect) as allowed:
            door = (f"127.0.0.1:{allowed.port}",)
            for status in REDIRECTS:
                one = connector("http", door, base_url=allowed.url)
                answer = await one.send(out({"json": {}}))
                assert answer.verdict is (Verdict.DELIVERED if status < "300" else Verdict.FAILED)
                await one.close()
            for path in (
                f"//127.0.0.1:{inside.port}/", f"http://127.0.0.1:{inside.port}/", f"@127.0.0.1:{inside.port}/",
                f"/\\127.0.0.1:{inside.port}/", f"/..//127.0.0.1:{inside.port}/", f":{inside.port}/",
                f"#@[::1]:{inside.port}/",
            ):  # fmt: skip
                one = connector("http", door, base_url=allowed.url)
                assert (await one.send(out({"path": path}))).verdict is Verdict.FAILED, path
                await one.close()
        assert inside.accepted == 0
        assert len(allowed.visits) == len(REDIRECTS)


async def test_no_proxy_of_the_environment_is_asked(connects, names, monkeypatch):
    async with listener() as inside:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{inside.port}")
        names["crm.example"] = [[PUBLIC]]
        for scheme in ("http", "https"):
            await use(connector("http", base_url=f"{scheme}://crm.example"))
        assert inside.accepted == 0
        assert set(connects) == {PUBLIC}


async def test_what_an_admin_allowed_is_open_and_nothing_beside_it(names):
    """The listener counts what is let in, so that 0 elsewhere means something."""
    async with listener() as inside:
        port = inside.port
        names["crm.internal"] = [["127.0.0.1"]]
        names["other.internal"] = [["127.0.0.1"]]
        names["meta.internal"] = [["169.254.169.254"]]
        for entry, url, comes in (
            ("127.0.0.1", f"http://127.0.0.1:{port}", True),
            (f"127.0.0.1:{port}", f"http://127.0.0.1:{port}", True),
            (f"127.0.0.1:{port + 1}", f"http://127.0.0.1:{port}", False),
            ("127.0.0.2", f"http://127.0.0.1:{port}", False),
            ("127.0.0.0/8", f"http://127.0.0.9:{port}", True),
            ("::1", f"http://[::1]:{port}", True),
            ("::1", f"http://127.0.0.1:{port}", False),
            ("crm.internal", f"http://crm.internal:{port}", True),
            ("crm.internal", f"http://other.internal:{port}", False),
            ("crm.internal", f"http://127.0.0.1:{port}", False),
            ("meta.internal", f"http://meta.internal:{port}", False),
        ):
            before = inside.accepted
            one = connector("http", (entry,), base_url=url)
            if one is not None:
                await use(one)
            assert (inside.accepted > before) is comes, (entry, url)


@pytest.mark.django_db
def test_only_an_admin_allows_a_host(client, person):
    given = {"name": "Inside", "base_url": "http://127.0.0.1:9/", "allowed_hosts": "127.0.0.1", "method": "POST"}
    given |= {"auth": "none", "timeout": "10", "lookup_after": "60", "auth_header": "X-Api-Key"}
    for role, status, made in (("engineer", 422, 0), ("admin", 303, 1)):
        client.force_login(person(role.title(), role=role))
        assert client.post("/connections/new?kind=http", given).status_code == status
        assert Connection.objects.count() == made
    client.force_login(person("Eve", role="engineer"))
    client.post("/connections/inside/edit", given | {"base_url": "http://10.0.0.1/", "allowed_hosts": "10.0.0.0/8"})
    one = Connection.objects.get()
    assert (one.config["base_url"], one.allowed_hosts) == ("http://127.0.0.1:9/", ["127.0.0.1"])


def _within(rng: random.Random, network: str) -> str:
    """A random address of a network."""
    parsed = ipaddress.ip_network(network)
    return str(parsed[rng.randrange(parsed.num_addresses)])


def _disguised(text: str) -> list[str]:
    """An address as a name server may give it: as itself or inside an IPv6 address that leads there."""
    address = ipaddress.ip_address(text)
    if address.version == 6:
        return [text]
    halves = f"{int(address) >> 16:x}:{int(address) & 0xFFFF:x}"
    return [text, f"::ffff:{halves}", f"64:ff9b::{halves}", f"2002:{halves}::1", f"2001:0:{halves}::1", f"::{halves}"]
