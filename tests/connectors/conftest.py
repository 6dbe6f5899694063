"""Real far sides that misbehave, and certificates to meet them with."""

import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agents.connectors import AddressRules
from agents.connectors.http import HttpConnector
from tests.connectors.far_side import Behave, FarSide
from tests.connectors.relay import Relays


@dataclass(frozen=True)
class Certificate:
    pem: str
    server: ssl.SSLContext


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """One for localhost and 127.0.0.1 that only its own PEM vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "far side")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = signed.public_bytes(serialization.Encoding.PEM)
    path = Path(tmp_path_factory.mktemp("tls")) / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(pem + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return Certificate(pem.decode(), context)


class Started:
    """Starts far sides and makes connectors that reach them; all are closed after the test."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def far_side(self, behave: Behave, tls: ssl.SSLContext | None = None) -> FarSide:
        return await self._stack.enter_async_context(FarSide(behave, tls))

    def http(
        self, url: str, secrets: dict | None = None, allow: tuple[str, ...] = ("127.0.0.1",), **config
    ) -> HttpConnector:
        connector = HttpConnector({"base_url": url, **config}, secrets or {}, allow=AddressRules.parse(allow))
        self._stack.push_async_callback(connector.close)
        return connector

    async def pair(self, behave: Behave, **config) -> tuple[FarSide, HttpConnector]:
        far_side = await self.far_side(behave)
        return far_side, self.http(far_side.url, **config)


@pytest.fixture
async def started() -> AsyncIterator[Started]:
    async with AsyncExitStack() as stack:
        yield Started(stack)


@pytest.fixture
async def relays() -> AsyncIterator[Relays]:
    relays = Relays()
    yield relays
    await relays.close()
