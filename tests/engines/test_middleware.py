import ipaddress

import pytest

from console.middleware import trusted_only

PROXIES = [ipaddress.ip_network(each) for each in ("127.0.0.1", "10.0.0.0/8")]


def seen(settings, peer, **headers):
    """What the application behind sees of a request from `peer`."""
    settings.TRUSTED_PROXIES = PROXIES
    found = {}
    environ = {"REMOTE_ADDR": peer, "wsgi.url_scheme": "http"}
    environ |= {f"HTTP_X_FORWARDED_{name.upper()}": value for name, value in headers.items()}
    list(trusted_only(lambda environ, start: found.update(environ) or [])(environ, None))
    assert not [name for name in found if "FORWARDED" in name]
    return found["REMOTE_ADDR"], found["wsgi.url_scheme"]


@pytest.mark.parametrize(
    ("peer", "chain", "scheme", "expected"),
    [
        ("127.0.0.1", "203.0.113.9", "https", ("203.0.113.9", "https")),
        ("127.0.0.1", "198.51.100.1, 203.0.113.9, 10.1.2.3", "https", ("203.0.113.9", "https")),
        ("203.0.113.9", "198.51.100.1", "https", ("203.0.113.9", "http")),
        ("127.0.0.1", "203.0.113.9, <script>", "https", ("127.0.0.1", "https")),
        ("127.0.0.1", "", "gopher", ("127.0.0.1", "http")),
    ],
)
def test_only_a_trusted_proxy_is_believed_and_only_about_the_hop_before_it(settings, peer, chain, scheme, expected):
    assert seen(settings, peer, **{"for": chain, "proto": scheme}) == expected


def test_without_proxies_nobody_is_believed(settings):
    settings.TRUSTED_PROXIES = ()
    environ = {"REMOTE_ADDR": "127.0.0.1", "wsgi.url_scheme": "http", "HTTP_X_FORWARDED_PROTO": "https"}
    list(trusted_only(lambda environ, start: [])(environ, None))
    assert environ == {"REMOTE_ADDR": "127.0.0.1", "wsgi.url_scheme": "http"}


def test_a_request_keeps_a_usable_id_and_gets_one_otherwise(client):
    assert client.get("/health/live", headers={"X-Request-ID": "trace-12345678"})["X-Request-ID"] == "trace-12345678"
    made = client.get("/health/live", headers={"X-Request-ID": "bad id\r\n"})["X-Request-ID"]
    assert made.isalnum()
    assert len(made) == 24


@pytest.mark.django_db
def test_a_nul_is_turned_away_wherever_it_stands(client, bob):
    client.force_login(bob)
    assert client.get("/runs?agent=a%00b").status_code == 400
    assert client.get("/runs?a%00b=1").status_code == 400
    assert client.get("/accounts/a%00b").status_code == 400
    assert client.post("/settings", {"name": "Bo\0b"}).status_code == 400
    assert client.get("/runs", {"agent": "a"}, headers={"HX-Request": "true"}).status_code == 200
    turned = client.get("/runs?agent=%00", headers={"HX-Request": "true"})
    assert (turned.status_code, turned["HX-Retarget"]) == (400, "#status")
