"""Nothing but what belongs there gets into a header, and what belongs there arrives."""

from email import message_from_bytes, policy
from uuid import uuid4

import pytest

from agents.connectors import BadPayload
from agents.connectors.email_message import Sender, compose

SENDER = Sender("agent@seller.example", "", "")
STEP = {"to": "ann@customer.example", "subject": "Hello", "text": "Text"}


def composed(**changed):
    message = compose(STEP | changed, action_id=uuid4(), sender=SENDER)
    return message, message_from_bytes(message.data, policy=policy.default)


@pytest.mark.parametrize(
    "to",
    [
        None,
        "",
        "ann",
        "ann@",
        "@customer.example",
        "ann@customer.example, bob@customer.example",
        "ann@customer.example;bob@customer.example",
        "Ann <ann@customer.example>",
        "<ann@customer.example>",
        "ann@customer.example\r\nBcc: bob@customer.example",
        "ann@customer.example\nBcc: bob@customer.example",
        "ann@customer.example\r\nRCPT TO:<bob@customer.example>",
        "ann@customer.example\0",
        "ann@customer.example\u2028Bcc: x@y.example",
        '"ann\r\n"@customer.example',
        '"a b"@customer.example',
        "ann@[127.0.0.1]",
        "ann@customer.example>",
        "ann @customer.example",
        "änn@customer.example",
        "=?utf-8?q?=0D=0ABcc=3A_x=40y.zz?=@customer.example",
        "a" * 70 + "@customer.example",
        "ann@" + "a" * 300 + ".example",
        ["ann@customer.example"],
        {"a": 1},
    ],
    ids=repr,
)
@pytest.mark.parametrize("name", ["to", "reply_to"])
def test_only_one_plain_address_is_an_address(name, to):
    if name == "reply_to" and not to:
        return
    with pytest.raises(BadPayload, match=f"^{name}: "):
        composed(**{name: to})


@pytest.mark.parametrize(
    "subject",
    ["", " ", None, 7, "a\r\nBcc: x@y.example", "a\nb", "a\rb", "a\0b", "a\x0bb", "a\x85b", "a\u2028b", "x" * 501],
)
def test_a_subject_is_one_line(subject):
    with pytest.raises(BadPayload, match=r"^subject: "):
        composed(subject=subject)


@pytest.mark.parametrize("text", ["", "  \n", None, 7, "a\0b", "a\ud800b"])
def test_a_text_is_text(text):
    with pytest.raises(BadPayload, match=r"^text: "):
        composed(text=text)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "mailto:x@y.example",
        "https://a.example/>\r\nBcc: x@y.example",
        "https://a.example/> , <https://b.example/",
        "https://a.example/ b",
        "https://",
        7,
    ],
)
def test_an_unsubscribe_link_is_a_plain_address(url):
    with pytest.raises(BadPayload, match=r"^unsubscribe_url: "):
        composed(unsubscribe_url=url)


def test_an_unknown_field_is_a_fault():
    with pytest.raises(BadPayload, match=r"^bcc: "):
        composed(bcc="x@y.example")


@pytest.mark.parametrize(
    "subject",
    [
        "Grüße aus Köln",
        "🚂 " * 60 + "end",
        "👩‍👩‍👧 family",
        "日本語の件名" * 12,
        "word " * 80,
        "x" * 400,
        "=?utf-8?q?not_encoded?=",
        "=?utf-8?q?a=0D=0ABcc:_x@y.example?=",
        "a =?utf-8?b?YQ0KQmNjOiB4QHkuZXhhbXBsZQ==?= b",
        "=?utf-8?q?=0D=0A=0D=0Athe body?=",
        "=?",
        'colon: and, comma; <angle> "quote" \\back',
    ],
)
def test_a_subject_arrives_as_it_was(subject):
    message, read = composed(subject=subject)
    assert read["Subject"] == subject.strip()
    assert max(len(line) for line in message.data.split(b"\r\n")) <= 998
    assert message.data.isascii()
    assert set(read.keys()) >= {"Subject", "To", "From", "Message-ID", "Date", "X-Signalbox-Action"}
    assert (read["Bcc"], read.get_content()) == (None, "Text\r\n")


@pytest.mark.parametrize(
    "name",
    ["Ann", 'Ann "A." \\ Meyer', "Änn, Sales", "=?utf-8?q?=0D=0ABcc:_x@y.example?=", "Ann <x@y.example>", "a" * 100],
)
def test_a_senders_name_arrives_as_it_was(name):
    message = compose(STEP, action_id=uuid4(), sender=Sender("agent@seller.example", name, ""))
    (sender,) = message_from_bytes(message.data, policy=policy.default)["From"].addresses
    assert (sender.display_name, sender.addr_spec) == (name, "agent@seller.example")
    assert b"\r\nBcc:" not in message.data


@pytest.mark.parametrize(
    "text", ["Grüße\n", "a" * 5000 + "\n", "\n.\n..\n.x\n", "From here\n", "\u2028\x85 odd\n", "no end"]
)
def test_a_text_arrives_as_it_was(text):
    message, read = composed(text=text, html=f"<p>{text}</p>")
    assert read.get_body(("plain",)).get_content().replace("\r\n", "\n").rstrip("\n") == text.rstrip("\n")
    assert max(len(line) for line in message.data.split(b"\r\n")) <= 998
    assert message.data.isascii()
    assert b"\n" not in message.data.replace(b"\r\n", b"")


def test_a_long_unsubscribe_link_stays_in_one_piece():
    link = "https://sb.example/u/" + "a" * 700
    _, read = composed(unsubscribe_url=link)
    assert read["List-Unsubscribe"] == f"<{link}>"


def test_an_international_domain_is_written_in_ascii():
    message, _ = composed(to="ann@bücher.example")
    assert message.to == "ann@xn--bcher-kva.example"
