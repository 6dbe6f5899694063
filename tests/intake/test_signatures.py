import base64
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from console.intake.answers import Fault
from console.intake.formats import signatures
from tests.intake.signing import signed

OLD, NEW = "whsec_" + base64.b64encode(b"old" * 8).decode(), "whsec_" + base64.b64encode(b"new" * 8).decode()
BODY = b'{"test": 2432232314}'


def environ(headers):
    return {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}


def verify(headers, *, body=BODY, secrets=(NEW, OLD)):
    return signatures.verify(environ(headers), [body], secrets)


def test_the_published_example_fits(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1614265330)
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert verify(headers, secrets=[secret]) == "msg_p5jXN8AQM9LWM0D4loKWxJek"


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_any_secret_in_force_fits(secret):
    assert verify(signed(secret, BODY)) == "msg_1"


def test_any_signature_of_several_fits():
    headers = signed(OLD, BODY)
    headers["webhook-signature"] = f"v2,abc v1,{base64.b64encode(bytes(32)).decode()} {headers['webhook-signature']}"
    assert verify(headers) == "msg_1"


@pytest.mark.parametrize("secret", ["a plain text secret", base64.b64encode(b"without prefix, long").decode()])
def test_a_secret_may_go_without_prefix(secret):
    assert verify(signed(secret, BODY), secrets=[secret]) == "msg_1"


def test_a_public_key_fits_a_v1a_signature():
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    headers = signed(OLD, BODY)
    content = f"msg_1.{headers['webhook-timestamp']}.".encode() + BODY
    headers["webhook-signature"] = f"v1a,{base64.b64encode(key.sign(content)).decode()}"
    assert verify(headers, secrets=["whpk_" + base64.b64encode(public).decode()]) == "msg_1"
    with pytest.raises(Fault):
        verify(headers, body=b"{}", secrets=["whpk_" + base64.b64encode(public).decode()])


@pytest.mark.parametrize("shift", [-301, 301, -86400])
def test_a_clock_off_is_refused(shift):
    with pytest.raises(Fault) as refused:
        verify(signed(OLD, BODY, shift=shift))
    assert refused.value.status == 401


@pytest.mark.parametrize("shift", [-298, 298])
def test_a_clock_a_little_off_is_borne(shift):
    assert verify(signed(OLD, BODY, shift=shift)) == "msg_1"


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook-id": "msg_2"},
        {"webhook-id": ""},
        {"webhook-id": "é"},
        {"webhook-id": "x" * 300},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "1e9"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-timestamp": "-1"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,!!!"},
        {"webhook-signature": "v1,é"},
        {"webhook-signature": "v1a,AAAA"},
        {"webhook-signature": "v0," + "A" * 44},
    ],
    ids=str,
)
def test_no_other_header_will_do(changes):
    with pytest.raises(Fault) as refused:
        verify(signed(OLD, BODY) | changes)
    assert refused.value.status == 401


def test_no_other_body_or_secret_will_do():
    for given in ({"body": BODY + b" "}, {"secrets": []}, {"secrets": ["whsec_AAAA"]}, {"secrets": ["whpk_AAAA", ""]}):
        with pytest.raises(Fault):
            verify(signed(OLD, BODY), **given)
