"""What a configuration may name as a host, how it is spelt, and what an admin opens (HOSTILE 24 counts connections)."""

import asyncio
import ipaddress
import socket

import pytest

from agents.connectors import AddressRefused, AddressRules, ConfigError, Verdict
from agents.connectors.addresses import canonical_host, check_url
from agents.connectors.email import EmailConnector
from agents.connectors.http import HttpConnector
from tests.connectors.conftest import Started
from tests.connectors.far_side import Visit, out

REFUSED_URLS = [
    "http://127.0.0.1/",
    "http://127.0.0.1./",
    "http://127.1/",
    "http://127.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://127.0.0.01/",
    "http://127.0.0.0x1/",
    "http://0/",
    "http://0.0.0.0/",
    "http://localhost/",
    "http://LOCALHOST/",
    "http://localhost./",
    "http://a.localhost/",
    "http://10.1.2.3/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.0.1/",
    "http://168.63.129.16/",
    "http://100.100.100.200/",
    "http://192.0.0.192/",
    "http://198.18.0.1/",
    "http://203.0.113.9/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[::]/",
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::127.0.0.1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::808:808]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a00:1::1]/",
    "http://[2001:0:7f00:1::1]/",
    "http://[fd00:ec2::254]/",
    "http://[fc00::1]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://[100::1]/",
    "http://[::1/",
    "http://[127.0.0.1]/",
    "http://::1/",
    "http://１２７.0.0.1/",
    "http://127。0。0。1/",
    "http://①②⑦.0.0.1/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    "http://%31%32%37.0.0.1/",
    "http://example.com%00.evil.example/",
    "http://example.com@127.0.0.1/",
    "http://127.0.0.1@example.com/",
    "http://user:pass@example.com/",
    "http://@example.com/",
    "http://example.com\\@127.0.0.1/",
    "http://example.com#@127.0.0.1/",
    "http://exam ple.com/",
    "http://example.com\t/",
    "http://example.com\r\nHost: x/",
    "http://example.com./",
    "http://example..com/",
    "http://-a.example.com/",
    "http://a\u200d.example/",
    "http://xn--/",
    "http:///x",
    "http://:80/",
    "http:/example.com",
    "http:example.com",
    "//example.com/",
    "example.com",
    "https://example.com:0/",
    "https://example.com:65536/",
    "https://example.com:-1/",
    "https://example.com:٤٤٣/",
    "https://example.com:443:443/",
    "https://example.com:25/",
    "https://example.com:6379/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "ftp://example.com/",
    "unix:///var/run/docker.sock",
    "",
    "http://" + "a" * 70 + ".example/",
    "http://" + "a." * 130 + "example/",
    "http://example.com/" + "a" * 3000,
]


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_it_leads_nowhere(url):
    with pytest.raises(AddressRefused):
        check_url(url, AddressRules())
    with pytest.raises(ConfigError):
        HttpConnector({"base_url": url}, {}, allow=AddressRules())


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Example.COM", "https://example.com"),
        ("HTTPS://example.com:443/a?b=c", "https://example.com"),
        ("http://example.com:8080/", "http://example.com:8080"),
        ("https://bücher.example/", "https://xn--bcher-kva.example"),
        ("https://93.184.215.14/", "https://93.184.215.14"),
        (
            "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:8443/",
            "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:8443",
        ),
        ("https://[64:ff9b::8.8.8.8]/", "https://[64:ff9b::808:808]"),
        ("https://a_b.example.com/", "https://a_b.example.com"),
    ],
)
def test_the_public_internet_is_open(url, origin):
    assert check_url(url, AddressRules()).origin == origin


@pytest.mark.parametrize(
    ("entry", "opened", "still_shut"),
    [
        ("127.0.0.1", "http://127.0.0.1:9/", "http://127.0.0.2/"),
        ("127.0.0.1:8025", "http://127.0.0.1:8025/", "http://127.0.0.1:8026/"),
        ("10.0.0.0/8", "http://10.9.8.7/", "http://192.168.0.1/"),
        ("10.0.0.0/8", "http://[::ffff:10.1.1.1]/", "http://[::ffff:127.0.0.1]/"),
        ("[::1]:8080", "http://[::1]:8080/", "http://[::1]/"),
        ("::1", "http://[::1]/", "http://[fd00::1]/"),
        ("fd00::/8", "http://[fd00::1]/", "http://[fe80::1]/"),
        ("localhost", "http://localhost/", "http://127.0.0.1/"),
        ("169.254.169.254", "http://169.254.169.254/", "http://169.254.169.253/"),
    ],
)
def test_an_admin_opens_just_what_was_named(entry, opened, still_shut):
    rules = AddressRules.parse([entry])
    check_url(opened, rules)
    with pytest.raises(AddressRefused):
        check_url(still_shut, rules)


def test_faulty_entries_are_all_named():
    with pytest.raises(ConfigError) as caught:
        AddressRules.parse(["10.0.0.0/33", "10.0.0.1/8", "a b", "host:99999", "ok.example", ""])
    assert len(caught.value.problems) == 5


def test_a_name_that_was_allowed_still_does_not_open_the_metadata():
    rules = AddressRules.parse(["crm.internal"])
    rules.check(ipaddress.ip_address("10.0.0.1"), host="crm.internal", port=80)
    for address in ("169.254.169.254", "0.0.0.0", "fe80::1", "224.0.0.1", "::ffff:169.254.169.254"):
        with pytest.raises(AddressRefused):
            rules.check(ipaddress.ip_address(address), host="crm.internal", port=80)
    with pytest.raises(AddressRefused):
        rules.check(ipaddress.ip_address("10.0.0.1"), host="other.internal", port=80)


def test_canonical_host_is_what_is_connected_to():
    assert canonical_host("EXAMPLE.com") == "example.com"
    assert canonical_host("[2606:0:0:0:0:0:0:1]") == "2606::1"


async def _ok(visit: Visit) -> None:
    visit.answer("200 OK")


@pytest.fixture
def names(monkeypatch):
    """Stands in for DNS: each look-up of a name takes the next of its answers, the last one for ever."""
    asked: list[str] = []
    answers: dict[str, list[list[str]]] = {}

    def getaddrinfo(host, port, *args, **kwargs):
        host = host.decode() if isinstance(host, bytes) else host
        if host not in answers:
            return real(host, port, *args, **kwargs)
        asked.append(host)
        given = answers[host].pop(0) if len(answers[host]) > 1 else answers[host][0]
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in given
        ]

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    answers["asked"] = asked
    return answers


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["::1"], ["169.254.169.254"], ["93.184.215.14", "127.0.0.1"], ["::ffff:127.0.0.1"]]
)
async def test_a_name_that_leads_inside(started: Started, names, addresses):
    far_side = await started.far_side(_ok)
    names["crm.example"] = [addresses]
    http = started.http(f"http://crm.example:{far_side.port}", allow=())
    answer = await http.send(out())
    assert answer.verdict is Verdict.FAILED
    assert answer.detail.startswith("nothing was sent: crm.example is ")
    assert far_side.connections == 0


async def test_a_name_that_leads_inside_the_second_time(started: Started, names):
    far_side = await started.far_side(_ok)
    names["crm.example"] = [["192.0.2.1"], ["127.0.0.1"]]
    verdicts = []
    for method in ("POST", "POST", "PUT"):
        http = started.http(f"http://crm.example:{far_side.port}", allow=("192.0.2.1",), method=method)
        verdicts.append((await http.send(out(permit=0.1, timeout=0.2))).verdict)
    assert verdicts == [Verdict.UNSENT, Verdict.FAILED, Verdict.FAILED]
    assert names["asked"] == ["crm.example"] * 3
    assert far_side.connections == 0


async def test_the_address_that_was_checked_is_the_one_connected_to(started: Started, names):
    far_side = await started.far_side(_ok)
    names["crm.example"] = [["127.0.0.1"], ["192.0.2.1"]]
    http = started.http(f"http://crm.example:{far_side.port}", allow=("crm.example",))
    assert (await http.send(out())).verdict is Verdict.DELIVERED
    assert names["asked"] == ["crm.example"]
    assert far_side.visits[0].header("Host") == [f"crm.example:{far_side.port}"]


async def test_a_redirect_inside_is_not_followed(started: Started):
    inside = await started.far_side(_ok)

    async def behave(visit: Visit) -> None:
        visit.answer("302 Found", Location=inside.url)

    _, http = await started.pair(behave)
    assert (await http.send(out())).verdict is Verdict.FAILED
    assert inside.connections == 0


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "[::1]", "::1", "169.254.169.254", "smtp.example."]
)
def test_a_mail_server_is_checked_too(host):
    with pytest.raises(ConfigError) as caught:
        EmailConnector({"host": host, "from_address": "a@example.com"}, {}, allow=AddressRules())
    assert [problem.place for problem in caught.value.problems] == ["host"]


async def test_a_mail_server_whose_name_leads_inside(names):
    connections = 0

    async def count(reader, writer) -> None:
        nonlocal connections
        connections += 1
        writer.close()

    server = await asyncio.start_server(count, "127.0.0.1", 0)
    names["smtp.example"] = [["127.0.0.1"]]
    email = EmailConnector(
        {"host": "smtp.example", "port": server.sockets[0].getsockname()[1], "from_address": "a@example.com"},
        {},
        allow=AddressRules(),
    )
    answer = await email.send(out({"to": "b@example.com", "subject": "s", "text": "t"}))
    server.close()
    assert answer.verdict is Verdict.FAILED
    assert connections == 0
