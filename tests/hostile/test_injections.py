"""HOSTILE 25: injection strings in every field of a signal get out through nothing but the permitted plays."""

import json
import re
from collections import Counter
from urllib.parse import unquote

import pytest

from tests.hostile.crossing import PERMITTED, crossing
from tests.hostile.injections import EVIL, RESULT, attacks

SIZE = 8_000
"""Of some 30,000 combinations of a text, a field and a format."""
ACTIONS = """
SELECT x.id::text, a.slug, p.slug, x.step, c.slug, x.state, r.code, t.code, s.email, convert_from(s.payload, 'UTF8'),
    s.id
FROM agents_action x JOIN agents_agent a ON a.id = x.agent_id JOIN agents_play p ON p.id = x.play_id
JOIN agents_connection c ON c.id = x.connection_id JOIN agents_run n ON n.id = x.run_id
JOIN agents_signal s ON s.id = n.signal_id JOIN agents_region r ON r.id = s.region_id
JOIN agents_segment t ON t.id = s.segment_id
"""
HEADERS = {
    "host", "accept", "user-agent", "x-person", "x-raw", "idempotency-key", "content-type", "content-length",
}  # fmt: skip
MAIL_HEADERS = {
    "Message-ID", "Date", "X-Signalbox-Action", "List-Unsubscribe", "List-Unsubscribe-Post", "From", "To", "Reply-To",
    "Subject", "MIME-Version", "Content-Type",
}  # fmt: skip


@pytest.fixture
def fed(yard, alice, hostile, rng):
    """Everything that is to be sent has been, and what came of it stands still."""
    with crossing(yard, alice) as made:
        every = attacks()
        made.send(rng.sample(every, hostile.of(SIZE)), rng)
        yield made


def test_nothing_gets_out_but_by_permitted_plays_to_permitted_recipients(fed):
    rows = fed.yard.rows(ACTIONS)
    signals = fed.yard.rows("SELECT count(*) FROM agents_signal")[0][0]
    states = Counter((agent, step, state) for _, agent, _, step, _, state, *_ in rows)
    print(f"answers {dict(fed.answers)}; {signals} signals, {states}; {len(fed.mails.delivered)} mails")

    assert max(fed.answers) < 500
    assert {(agent, play, connection) for _, agent, play, _, connection, *_ in rows} == PERMITTED
    each = Counter(signal for *_, signal in rows)
    assert len(each) == signals
    assert set(each.values()) == {5}
    for _, agent, _, _, _, state, region, segment, _, payload, _ in rows:
        alone = agent == "inbound"
        for code, given in ((region, "emea/de"), (segment, "enterprise")):
            assert code == (given if f'"{given}"' in payload else "unassigned"), payload
            alone = alone and code == given
        assert state in (("delivered", "failed") if alone else ("waiting", "failed")), payload
    _requests_are_the_plays(fed, {row[0]: row for row in rows})
    _mails_are_the_plays(fed, {row[0]: row for row in rows})


def _requests_are_the_plays(fed, actions) -> None:
    assert fed.calls.receipts == fed.refunds.receipts == []
    assert fed.crm.counts == Counter(key for key, row in actions.items() if row[3] == "hook" and row[5] == "delivered")
    for receipt in fed.crm.receipts:
        visit = receipt.visit
        path = re.fullmatch(r"POST /accounts/([^/?#]+)/notes\?of=([^&#]+) HTTP/1.1", visit.line)
        assert path, visit.line
        head = visit.raw.partition(b"\r\n\r\n")[0].decode("latin-1")
        names = [line.partition(":")[0].lower() for line in head.split("\r\n")[1:]]
        assert sorted(names) == sorted(HEADERS), names
        body = json.loads(visit.body)
        assert set(body) == {"id", "account", "person", "note", "all"}
        assert unquote(path[1]) == body["account"]
        assert body["note"] == f"Hello {body['person']}."
        assert body["all"] == json.loads(actions[receipt.action][9])
        assert RESULT.encode() not in visit.raw


def _mails_are_the_plays(fed, actions) -> None:
    sent = Counter()
    for recipients, message in fed.mails.messages():
        (action,) = message.get_all("X-Signalbox-Action")
        _, _, _, step, _, state, _, _, email, payload, _ = actions[action]
        sent[action] += 1
        wanted = email if step == "mail" else json.loads(payload)["copy"].strip()
        assert state == "delivered"
        assert [one.lower() for one in recipients] == [wanted.lower()]
        assert EVIL not in recipients[0]
        names = message.keys()
        assert len(names) == len(set(names))
        assert set(names) - {"Content-Transfer-Encoding"} == MAIL_HEADERS, names
        assert message["From"].addresses[0].addr_spec == "agent@seller.example"
        assert message["Reply-To"].addresses[0].addr_spec == "alice@example.com"
        assert [one.addr_spec.lower() for one in message["To"].addresses] == [wanted.lower()]
        assert RESULT not in message.as_string()
        if step == "mail":
            raw = json.loads(payload).get("raw", "-")
            assert message["Subject"].rstrip() == f"Hello {raw}".rstrip().replace("\t", " ")
            html = message.get_body(("html",)).get_content()
            assert re.fullmatch(r'<p title="[^"<>]*">Hello <b>[^<>]*</b></p>\s*', html), html
    assert sent == Counter(key for key, row in actions.items() if row[4] == "mail" and row[5] == "delivered")
