"""What can happen to a person, all of it, by the ways by which it really happens; and where it left a trace."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from agents import again, outcomes, paging, questions
from agents.changes.contact import contact_of, hint_of, suppress
from agents.connectors.contract import Answer, Verdict
from agents.loop.act import Drain
from agents.loop.decide import decide
from agents.loop.envelope import Refused, wrap
from agents.loop.gate import gate
from agents.loop.hot import hot
from agents.loop.intake import receive, understand
from agents.loop.settle import Settled, settle
from agents.loop.sources import load_sources
from agents.models import Action, Connection, DoNotContact
from approvals.models import Approval, Person

PLAYS = {
    "intro": {"to": "{{ signal.email }}", "subject": "For {{ signal.person }}", "text": "You said {{ signal.words }}"},
    "note": {"json": {"who": "{{ signal.person }}", "said": "{{ signal.words }}"}},
    "broken": {"json": {"said": "{{ signal.words }}", "more": "{{ signal.missing }}"}},
}
CHOICES = [
    *({"play": name, "when": {"field": "signal.type", "op": "eq", "value": name}, "min_score": 0} for name in PLAYS),
]
POLICY = {
    "clauses": [
        {"id": "mails-ask", "say": "ask", "plays": ["intro"], "editable": ["subject", "text"]},
        {"id": "notes-alone", "say": "alone", "plays": ["note", "broken"]},
    ]
}


@dataclass(frozen=True)
class Life:
    """Who they are, and a word that stands nowhere but in what was said of them."""

    email: str
    name: str
    word: str
    account: str

    @property
    def contact(self) -> bytes:
        return contact_of(self.email)

    @property
    def traces(self) -> list[str]:
        return [self.email, self.name, self.word]

    def event(self, type: str, n: str, **more: Any) -> dict[str, Any]:
        return {
            "id": f"{self.word}-{n}", "type": type, "email": self.email, "name": self.name, "words": self.word,
            "account": self.account, "region": "emea", "segment": "enterprise", **more,
        }  # fmt: skip


def take_in(*bodies: dict[str, Any]) -> list[str]:
    """As the intake does; the fate of each."""
    fates = []
    for body in bodies:
        with transaction.atomic(), connection.cursor() as wrapped:
            known = load_sources(wrapped.cursor, {})["web"]
            envelope = wrap("json", body)
            assert not isinstance(envelope, Refused)
            fates += receive(wrapped.cursor, [understand(known, envelope, at=datetime.now(UTC))])
    return fates


def send() -> None:
    """Let the loop do all there is to do, now."""
    Action.objects.filter(state="ready").update(not_before=timezone.now() - timedelta(seconds=1))
    asyncio.run(Drain(hot).run())


def actions(life: Life, play: str) -> Any:
    return Action.objects.filter(contact=life.contact, play__slug=play, undo_of=None).order_by("id")


def live(life: Life, *, admin: Person, rep: Person) -> None:
    """All of it: asked, talked about, handed on, edited, sent, answered, taken back, failed, refused, unheard, set
    aside, not understood, conflicting, waiting, and in the end put on the do-not-contact list."""
    assert take_in(*(life.event("intro", str(n)) for n in range(3)), life.event("note", "note")) == ["accepted"] * 4
    while decide(hot).signals:
        pass
    first, second, waits = Approval.objects.filter(subject__in=_subjects(life, "intro")).order_by("pk")
    questions.ask(first.pk, person=rep, text=f"Is {life.name} the one who said {life.word}?", to=admin)
    questions.reply(first.pk, person=admin, text=f"Yes, {life.email}.")
    questions.hand_to(first.pk, person=rep, to=admin, note=f"You know {life.name}.")
    questions.edit_and_approve(
        first.pk, person=admin, binding=bytes(first.binding), note=f"As {life.name} asked.",
        fields={"text": f"Dear {life.name}, about {life.word}: gladly."},
    )  # fmt: skip
    questions.reject(
        second.pk, person=admin, binding=bytes(second.binding), reason="bad-timing", note=f"{life.name} is ill."
    )
    _fail(life)
    send()
    sent = actions(life, "intro").first()
    assert (sent.state, waits.state) == ("delivered", "waiting")
    _outcome(life)
    assert again.undo(sent.pk, person=admin).new
    send()
    assert take_in(life.event("broken", "broken")) == ["accepted"]
    decide(hot)
    again.send_again([actions(life, "broken").get(state="failed").pk], person=admin)
    assert take_in({"email": life.email, "name": life.name, "words": life.word}) == ["dead"]
    assert take_in(life.event("intro", "0", words=f"{life.word} otherwise")) == ["conflict"]
    assert take_in(life.event("nothing", "unheard")) == ["accepted"]
    decide(hot)
    cause = f"550 {life.email.upper()} unknown"
    paging.open_incident("connection", cause, actor="cli", connection_=Connection.objects.get(slug="sandbox"))
    Connection.objects.filter(slug="sandbox").update(last_error=f"550 {life.email}: unknown")
    suppress(
        life.contact, hint=hint_of(life.email), origin=DoNotContact.Origin.PERSON, actor=admin.actor, person=admin,
        reason=f"{life.name} asked by phone",
    )  # fmt: skip


def _subjects(life: Life, play: str) -> list[str]:
    return [f"action:{id_}" for id_ in actions(life, play).values_list("pk", flat=True)]


def _fail(life: Life) -> None:
    """The note goes out, and the far side says of whom it will not hear."""
    (one,) = gate(hot)
    said = Answer(Verdict.FAILED, 550, f"550 {life.email}: {life.word} is unknown here", 1)
    settle(hot, [Settled(one.action, one.attempt, one.connection.id, said, one.line, one.contact)])
    assert actions(life, "note").get().state == "failed"


def _outcome(life: Life) -> None:
    with transaction.atomic(), connection.cursor() as wrapped:
        known = load_sources(wrapped.cursor, {})["web"]
        row = outcomes.read(known, {"signal": f"{life.word}-0", "kind": "meeting"}, at=datetime.now(UTC))
        assert not isinstance(row, Refused)
        assert outcomes.receive(wrapped.cursor, [row]) == ["accepted"]


TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname <> 'pg_toast' ORDER BY 1, 2
"""


def found(traces: list[str]) -> dict[str, int]:
    """Table → how many of its rows hold one of the texts, in any column: as text, or as bytes. All tables there are,
    those of the database's own catalogue with the statistics too."""
    patterns = [f"%{text}%" for text in traces]
    patterns += [f"%{form.encode().hex()}%" for text in traces for form in (text, text.lower(), text.upper())]
    out = {}
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        for schema, table in cursor.fetchall():
            cursor.execute(f'SELECT count(*) FROM "{schema}"."{table}" AS t WHERE t::text ILIKE ANY(%s)', [patterns])
            if count := cursor.fetchone()[0]:
                out[table] = count
    return out


def rows(life: Life) -> list[str]:
    """Every row outside the catalogue that holds a trace of them, as text."""
    patterns = [f"%{text}%" for text in life.traces] + [f"%{text.encode().hex()}%" for text in life.traces]
    out = []
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        for schema, table in cursor.fetchall():
            if schema == "public":
                cursor.execute(f'SELECT t::text FROM "{table}" AS t WHERE t::text ILIKE ANY(%s)', [patterns])
                out += [f"{table} {row}" for (row,) in cursor.fetchall()]
    return sorted(out)


def states(life: Life) -> dict[UUID, str]:
    return dict(Action.objects.filter(contact=life.contact).values_list("pk", "state"))
