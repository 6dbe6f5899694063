"""The vocabulary of verbs, each with the sentence that tells it.

A template is a format string over an entry's columns and the top level of its detail. A stretch in square brackets is
left out when one of its fields is absent or empty. {actor} and {subject} come in words, {why} is the detail's why,
cause or reason; see `say`.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

from audit.persons import is_sealed
from audit.timeline import Row

_WHERE = "[ for {agent}][ in {region}]"
_WHY = "[: {why}]"

VERBS: dict[str, str] = {
    "signal.received": "{actor} sent a signal[ of type {type}][ about {account}]",
    "signal.dead": "A signal from {actor} could not be understood" + _WHY,
    "signal.conflict": "{actor} sent a known id again with other content[: {external_id}]",
    "signal.replayed": "{actor} replayed {subject}",
    "signal.repeated": "{actor} sent a known signal again",
    "signal.tried": "{actor} tried to read {subject} again, and it is still not understood",
    "signal.faulty": "{subject} was set aside: handling it failed" + _WHY,
    "signal.discarded": "{actor} discarded {subject}" + _WHY,
    "signal.unheard": "No agent listens to {subject}[ of type {type}]",
    "run.decided": "{actor} decided a run[ of {agent}][ about {account}][ ({about})][, to {to}][: {verdict}]"
    "[, play {play}][, score {score}][, by clause {clause}]" + _WHY,
    "action.asked": "{actor} asked for approval of {subject}[ by {agent}][, to {to}][, because {clause} says so]",
    "action.approved": "{actor} approved {subject}[, to {to}][: {note}]" + _WHY,
    "action.rejected": "{actor} rejected {subject}" + _WHY + "[: {note}]",
    "action.agreed": "{actor} said yes to {subject}, {given} of {needed} needed[: {note}]",
    "action.disagreed": "{actor} took their yes to {subject} back before enough others said it",
    "action.edited": "{actor} edited what {subject} would send",
    "action.superseded": "The question about {subject} gave way to one about what {actor} made of it",
    "action.handed": "{actor} handed the question about {subject} to {to}[: {note}]",
    "action.queried": "{actor} asked {to} about {subject}[: {text}]",
    "action.replied": "{actor} replied to what was asked about {subject}[: {text}]",
    "action.snoozed": "{actor} put {subject} off[ until {until}]",
    "action.unsnoozed": "{actor} took {subject} up again",
    "action.escalated": "Nobody answered: {subject} was put to {to}[, the {as}]",
    "action.rebound": "The question about {subject} stands under version {policy} of the boundaries",
    "action.anew": "{subject} is asked about anew" + _WHY,
    "action.expired": "Nobody answered in time: {subject} expired",
    "action.withdrawn": "The question about {subject} was withdrawn" + _WHY,
    "action.permitted": "{actor} let {subject} pass the gate" + _WHERE,
    "action.refused": "{actor} refused {subject} at the gate" + _WHERE + _WHY,
    "action.held": "{actor} held {subject} back" + _WHERE + _WHY,
    "action.delayed": "{actor} put {subject} off" + _WHERE + _WHY,
    "action.let_go": "{actor} let {subject} go to the gate again" + _WHERE + "[, after pause {pause}]",
    "action.shadowed": "{actor} would have started {subject}" + _WHERE + ", but only watches",
    "action.delivered": "{actor} delivered {subject}" + _WHERE + "[, answer {status}][ in {ms} ms]",
    "action.made": "{actor} made {subject}[ by {agent}][, instead of {instead_of}][, to undo {undoes}]",
    "action.thawed": "The time to answer about {subject} stood still in pause {pause}: it is {until} now",
    "action.late": "An answer about {subject} came after it was settled[: {verdict}][, answer {status}]",
    "action.failed": "{subject} failed" + _WHERE + "[, answer {status}]" + _WHY,
    "action.unknown": "It is not known whether {subject} was carried out" + _WHERE + _WHY,
    "action.resolved": "{actor} found out what became of {subject}[: {state}]" + _WHY,
    "action.again": "{actor} asked to send {subject} again[: {verdict}]",
    "action.retried": "{actor} put {subject} back to try again" + _WHERE + _WHY,
    "action.undone": "{actor} undid {subject}" + _WHY,
    "pause.set": "{actor} paused[ {agent}][ {region}][ {segment}][ {play}][ {connection}][ until {until}]" + _WHY,
    "pause.staged": "{actor} let {share} per cent through {subject}[, {before} before]" + _WHY,
    "pause.extended": "{actor} moved the end of {subject}[ to {until}]" + _WHY,
    "pause.lifted": "{actor} lifted {subject}[ of {agent}][ in {region}]" + _WHY,
    "pause.told": "{actor} told {people} of {subject}",
    "pause.drilled": "{actor} drilled a pause[ of {agent}][ in {region}][, lock after {lock_ms} ms]" + _WHY,
    "agent.created": "{actor} created {subject}",
    "agent.changed": "{actor} changed {subject}" + _WHY,
    "agent.stage": "{actor} moved {subject}[ from {before}][ to {after}]" + _WHY,
    "policy.published": "{actor} published version {version} of {subject}[, confirmed by {second}]" + _WHY,
    "policy.proposed": "{actor} proposed new boundaries for {agent}, for a second person[, to go live at {at}]" + _WHY,
    "policy.scheduled": "{actor} set new boundaries of {agent} to go live at {at}" + _WHY,
    "policy.confirmed": "{actor} confirmed, as the second person, {subject}[ for {agent}][, to go live at {at}]",
    "policy.declined": "{actor} declined {subject}[ for {agent}]" + _WHY,
    "policy.cancelled": "{actor} took back {subject}[ for {agent}]" + _WHY,
    "policy.live": "{subject}[ for {agent}] went live[ as version {version}]",
    "policy.overtaken": "{subject}[ for {agent}] did not go live" + _WHY,
    "play.created": "{actor} created {subject}",
    "play.changed": "{actor} changed {subject}[, now version {version}]",
    "connection.created": "{actor} created {subject}",
    "connection.changed": "{actor} changed {subject}",
    "connection.tested": "{actor} tested {subject}[: {result}]",
    "connection.opened": "{actor} cut {subject} off after failures" + _WHY,
    "connection.closed": "{subject} works again",
    "source.created": "{actor} created {subject}",
    "source.changed": "{actor} changed {subject}",
    "source.mapped": "{actor} changed how {subject} is read",
    "source.key_renewed": "{actor} renewed the key of {subject}",
    "source.secret_added": "{actor} added a signing secret to {subject}",
    "source.secret_removed": "{actor} took a signing secret of {subject} out of force",
    "route.created": "{actor} created {subject}",
    "route.changed": "{actor} changed {subject}",
    "region.created": "{actor} created {subject}",
    "region.changed": "{actor} changed {subject}",
    "segment.created": "{actor} created {subject}",
    "segment.changed": "{actor} changed {subject}",
    "planted.switched": "{actor} had one question planted after {after} of {subject}, where it was {before}",
    "planted.asked": "{actor} planted a question[ of {agent}]",
    "planted.caught": "{actor} caught a planted question[ of {agent}]",
    "planted.missed": "{actor} said yes to a planted question[ of {agent}]; nothing was sent",
    "planted.expired": "Nobody answered a planted question[ of {agent}]",
    "planted.withdrawn": "A planted question[ of {agent}] was withdrawn",
    "person.away": "{subject} is away[ from {since}][ until {until}][; {delegate} stands in]",
    "person.back": "{subject} is back",
    "person.created": "{actor} created {subject}",
    "person.changed": "{actor} changed {subject}",
    "person.invited": "{actor} gave {subject} a link to set a password",
    "person.closed": "{actor} closed the sign-in of {subject}",
    "person.reopened": "{actor} let {subject} sign in again",
    "person.signed_in": "{actor} signed in",
    "person.signed_out": "{actor} signed out",
    "person.told": "{actor} mailed {subject}[ about {questions}] questions",
    "person.locked": "{actor} locked the sign-in of {subject} for a while[: {tries} wrong tries][ of a {what}]",
    "person.step_added": "{actor} set up {what} as a second step of signing in",
    "person.step_removed": "{actor} removed {what} from the second steps of signing in",
    "person.steps_reset": "{actor} took all second steps off the sign-in of {subject}",
    "person.codes_made": "{actor} made new recovery codes",
    "person.code_used": "{actor} used a recovery code[, {left} left]",
    "person.session_ended": "{actor} signed out elsewhere[: {count} sessions]",
    "person.signed_out_everywhere": "{actor} signed {subject} out everywhere" + _WHY,
    "person.erased": "{actor} erased a person[: {rows} rows cleared][, {stopped} actions stopped]" + _WHY,
    "person.erasing": "{actor} began to erase a person[: {stopped} actions stopped]",
    "person.cleared": "{actor} cleared an erased person's data[ from {table}][, {rows} rows]",
    "person.linked": "{actor} was linked to the sign-in of {provider}",
    "sign_in.ruled": "{actor} changed which roles need a second step[: now {roles}]",
    "token.created": "{actor} made an API token for {person}[, {name}]",
    "token.revoked": "{actor} revoked an API token of {person}[, {name}]",
    "grant.given": "{actor} let {subject} {verbs}[ for {agent}][ in {region}][ in {segment}][ until {until}]" + _WHY,
    "grant.ending": "{actor} told {subject} that what they were granted ends soon, on {until}",
    "grant.ended": "{actor} no longer lets {subject} {verbs}[ for {agent}][ in {region}][ in {segment}]" + _WHY,
    "outcome.received": "{actor} reported an outcome[ of {account}][: {kind}][, worth {value}]",
    "incident.opened": "Something broke[ in {agent}][ in {connection}]" + _WHY,
    "incident.paged": "{actor} paged[ {person}] about {subject}",
    "incident.escalated": "{actor} passed {subject} on",
    "incident.taken": "{actor} took {subject}",
    "incident.resolved": "{actor} resolved {subject}" + _WHY,
    "record.verified": "{actor} verified the record[: {result}][, {sealed} sealed entries]",
    "record.restored": "{actor} told that the database was restored from a backup: entries {here} to {lost} were lost"
    + _WHY,
    "record.key-rotated": "{actor} changed the key that signs the record" + _WHY,
    "record.aged": "{actor} dropped {dropped} entries of {month}, seals kept, by rule: {rule}"
    "[; {held} stay for a legal hold]",
    "record.archived": "{actor} archived {dropped} entries of {month} in {file} and dropped them, seals kept, by rule: "
    "{rule}[; {held} stay for a legal hold]",
    "record.ruled": "{actor} set how long the record is kept[: {after}]" + _WHY,
    "record.held": "{actor} put a legal hold on {kind}[ {on}][ from {since}][ until {until}]" + _WHY,
    "record.released": "{actor} released the legal hold on {kind}[ {on}]" + _WHY,
    "record.exported": "{actor} exported the record as {format}[, filtered by {filter}]",
    "contact.suppressed": "{actor} put a person on the do-not-contact list" + _WHY,
    "contact.released": "{actor} took a person off the do-not-contact list" + _WHY,
    "demo.created": "{actor} built the demo workspace",
    "demo.dropped": "{actor} removed {subject} with the demo workspace",
    "demo.kept": "{subject} is no part of the demo workspace any more",
    "demo.removed": "{actor} removed the demo workspace",
}
"""Every verb there is. A new one is added here; until then it is worded plainly."""

VERDICTS = {"none": "no play", "alone": "acts alone", "ask": "asks first", "never": "must not act"}
COLUMNS = ("agent", "region", "segment", "account")

_PART = re.compile(r"\[([^\[\]]*)\]|\{(\w+)\}")
_FIELD = re.compile(r"\{(\w+)\}")
_PLAIN = "{actor}: {verb} {subject}"


def say(row: Row, *, name: Callable[[str], str | None] | None = None) -> str:
    """The entry in a sentence of plain text (escape it for HTML), without the full stop.

    `name` may give a person's or a thing's name for a reference such as "person:7" or "region:emea"; where it answers
    "" or is not given, the reference is put in words as it stands.
    """
    in_words = _namer(name)
    fields = {key: _plain(value) for key, value in row.detail.items()}
    fields |= {key: in_words(value) for key, value in fields.items() if value.startswith("person:")}
    fields |= {column: known for column in COLUMNS if (known := getattr(row, column))}
    for noun in (*COLUMNS, "play", "connection"):
        key = fields.get(noun, "").partition("@")[0]
        fields[noun] = (name(f"{noun}:{key}") if name else None) or fields.get(noun, "")
    fields["verdict"] = VERDICTS.get(fields.get("verdict", ""), fields.get("verdict", ""))
    fields["why"] = next(filter(None, (fields.get(key) for key in ("why", "cause", "reason"))), "")
    fields |= {"verb": row.verb, "actor": in_words(row.actor), "subject": in_words(row.subject)}
    text = _PART.sub(lambda part: _filled(part, fields), VERBS.get(row.verb, _PLAIN))
    return text if "@" in text.split(" ", 1)[0] else text[:1].upper() + text[1:]


def kinds() -> dict[str, list[str]]:
    """The verbs by what they speak of, for a facet: "action" → ["action.asked", …]."""
    out: dict[str, list[str]] = {}
    for verb in VERBS:
        out.setdefault(verb.partition(".")[0], []).append(verb)
    return out


def refer(reference: str) -> str:
    """A reference in words: "agent:inbound-intent" → "agent inbound-intent", "action:<uuid>" → "action …17c21aa5"."""
    kind, _, key = reference.partition(":")
    with suppress(ValueError):
        key = f"…{UUID(key).hex[-8:]}"
    return f"{kind} {key}".strip()


def _namer(name: Callable[[str], str | None] | None) -> Callable[[str], str]:
    def in_words(reference: str) -> str:
        if name and (known := name(reference)):
            return known
        kind, _, key = reference.partition(":")
        if kind == "person" and "@" in key:
            return key
        return {"cli": "the command line", "worker": "Signalbox"}.get(kind) or refer(reference)

    return in_words


def _filled(part: re.Match[str], fields: Mapping[str, str]) -> str:
    """A field's value, or a bracketed stretch with its fields put in, "" when one of them is empty."""
    stretch, field = part.groups()
    if field:
        return fields.get(field, "")
    if not all(fields.get(key) for key in _FIELD.findall(stretch)):
        return ""
    return _FIELD.sub(lambda match: fields[match[1]], stretch)


def _plain(value: Any) -> str:
    if value is None or value is False or value == "":
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(filter(None, map(_plain, value)))
    if is_sealed(value):
        return ""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(inner)}".strip() for key, inner in value.items())
    return str(value)
