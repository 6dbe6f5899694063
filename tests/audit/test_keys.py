import base64
import stat

import pytest

from audit import keys
from audit.keys import KeyFormatError, Signer, Verifier

# The example of C2SP's signed-note: github.com/C2SP/C2SP/blob/main/signed-note.md and Go's sumdb/note package.
VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="


def test_another_implementations_key_and_signature_are_read():
    verifier = Verifier.parse(VKEY)
    assert verifier.vkey == VKEY
    raw = base64.b64decode(SIGNATURE)
    assert raw[:4] == verifier.key_id
    assert verifier.holds(TEXT.encode(), raw[4:])
    assert not verifier.holds(TEXT.encode() + b"\n", raw[4:])


@pytest.mark.parametrize(
    "vkey", ["", "a+b", "a+00000000+AQ==", VKEY.replace("c74f", "c74e"), VKEY.replace("Peter", "Paul"), "a+b+ä"]
)
def test_what_is_no_verifier_key_is_refused(vkey):
    with pytest.raises(KeyFormatError):
        Verifier.parse(vkey)


def test_a_signing_key_survives_its_file():
    made = Signer.make("signalbox/test")
    again = Signer.parse(made.secret())
    assert again.verifier == made.verifier
    assert made.verifier.holds(b"x", again.sign(b"x"))
    with pytest.raises(KeyFormatError):
        Signer.parse(made.secret().replace("PRIVATE", "PUBLIC"))


def test_the_signing_key_is_made_once_for_its_owner_alone_and_its_public_half_stored(conn, var):
    first = keys.signer(conn)
    assert stat.S_IMODE(keys.key_file().stat().st_mode) == 0o600
    assert [path.name for path in keys.key_file().parent.iterdir()] == ["seal.key"]
    assert keys.signer(conn).verifier == first.verifier
    assert conn.execute("select vkey from audit_key").fetchall() == [(first.verifier.vkey,)]


def test_a_lost_key_is_replaced_under_the_same_name(conn, var):
    first = keys.signer(conn)
    keys.key_file().unlink()
    second = keys.signer(conn)
    assert second.name == first.name
    assert second.verifier != first.verifier
    assert conn.execute("select count(*) from audit_key").fetchone() == (2,)
