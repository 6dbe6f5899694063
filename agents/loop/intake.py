"""
From an event to a signal: mapped, received once however often it is sent, kept as a dead letter when not understood.

`understand` is pure; `receive` writes signals, dead letters and their entries in the caller's transaction. Dedupe is
for ever on (source, keyed hash of the id). The same id with other content is a conflict: kept, visible, acted on by
nobody.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any, Literal, NamedTuple
from uuid import UUID

import orjson
from django.conf import settings

from agents.loop.envelope import Envelope
from agents.loop.sources import KnownSource
from agents.rules.canonical import identity_hash
from agents.rules.mapping import MAX_ID
from agents.rules.text import as_email
from audit.entries import Line, append
from audit.ids import new_id

Fate = Literal["accepted", "duplicate", "dead", "conflict"]
_SEPARATOR = "\x1f"

RECEIVE = """
WITH line AS (
    SELECT * FROM unnest(
        string_to_array(%s::text, chr(31))::uuid[], string_to_array(%s::text, chr(31))::int[],
        string_to_array(%s::text, chr(31))::uuid[], string_to_array(%s::text, chr(31))::bigint[],
        string_to_array(%s::text, chr(31)), string_to_array(%s::text, chr(31)),
        string_to_array(%s::text, chr(31))::timestamptz[], string_to_array(%s::text, chr(31))::timestamptz[],
        string_to_array(%s::text, chr(31)), string_to_array(%s::text, chr(31)), string_to_array(%s::text, chr(31)),
        string_to_array(%s::text, chr(31)), string_to_array(%s::text, chr(31), ''),
        string_to_array(%s::text, chr(31))::int[], string_to_array(%s::text, chr(31))::int[],
        string_to_array(%s::text, chr(31))::jsonb[], string_to_array(%s::text, chr(31)),
        string_to_array(%s::text, chr(31)), string_to_array(%s::text, chr(31))::bool[],
        string_to_array(%s::text, chr(31))::bool[]
    ) AS line (id, source_id, hash, content, external_id, type, occurred_at, received_at, account, account_name, person,
        email, contact, region_id, segment_id, fields, format, payload, is_demo, is_dead)
), new AS (
    INSERT INTO agents_seen (source_id, hash, content, signal_id) SELECT source_id, hash, content, id FROM line
    ON CONFLICT DO NOTHING RETURNING signal_id
), signal AS (
    INSERT INTO agents_signal (id, source_id, external_id, type, occurred_at, received_at, account, account_name,
        person, email, contact, region_id, segment_id, fields, format, payload, state, is_demo)
    SELECT id, source_id, coalesce(external_id, ''), coalesce(type, ''), occurred_at, received_at,
        coalesce(account, ''), coalesce(account_name, ''), coalesce(person, ''), coalesce(email, ''),
        decode(contact, 'hex'), region_id, segment_id, fields, format, convert_to(payload, 'UTF8'), 'new', is_demo
    FROM line JOIN new ON new.signal_id = line.id WHERE NOT is_dead
)
SELECT signal_id FROM new
"""
"""One empty string makes no array at all, hence the coalesces."""

SEEN = """
SELECT s.source_id, s.hash, s.content FROM agents_seen s
JOIN unnest(%s::int[], %s::uuid[]) AS t (source_id, hash) USING (source_id, hash)
"""
CONFLICTS = """
INSERT INTO agents_seen (source_id, hash, content, signal_id)
SELECT * FROM unnest(%s::int[], %s::uuid[], %s::bigint[], %s::uuid[]) ON CONFLICT DO NOTHING RETURNING signal_id
"""
LETTERS = """
INSERT INTO agents_deadletter (id, source_id, kind, format, external_id, envelope, reason, received_at, state)
SELECT *, 'open' FROM unnest(
    %s::uuid[], %s::int[], %s::text[], %s::text[], %s::text[], %s::bytea[], %s::text[], %s::timestamptz[])
"""
VERBS: dict[Fate, str] = {"accepted": "signal.received", "dead": "signal.dead", "conflict": "signal.conflict"}
CONFLICT = "This id was received before with other content: if it is another event, its id must differ."


class Row(NamedTuple):
    """One event, ready to be written. With a `reason` it is a dead letter; `hash` (hex) is empty when it has no id."""

    id: UUID
    source: KnownSource
    hash: str
    content: int
    external_id: str
    type: str
    occurred_at: str
    received_at: str
    account: str
    account_name: str
    person: str
    email: str
    contact: str
    region: tuple[str, int]
    segment: tuple[str, int]
    fields: str
    format: str
    payload: bytes
    reason: str


def understand(source: KnownSource, envelope: Envelope, *, at: datetime, id: UUID | None = None) -> Row:
    """
    What the source's mapping makes of an event received `at` (aware). Never raises for an envelope of `wrap`.

    An account that is somebody's e-mail address goes by their keyed hash, "contact:<hex>", and has the address as its
    name: accounts stand in entries.
    """
    mapped = source.mapping(envelope.format).apply(envelope.body, id=envelope.id)
    if len(mapped.external_id) > MAX_ID:
        mapped.external_id = ""
    scopes = source.scopes
    key = settings.IDENTITY_KEY
    received = at.isoformat()
    if as_email(mapped.account):
        mapped.account_name = mapped.account_name or mapped.account
        mapped.account = f"contact:{identity_hash(key, mapped.account).hex()}"
    if mapped.value is not None:
        mapped.fields["value"] = mapped.value
    if mapped.currency:
        mapped.fields["currency"] = mapped.currency
    if mapped.time_zone:
        mapped.fields["time_zone"] = mapped.time_zone
    return Row(
        id or new_id(),
        source,
        external_hash(source.id, mapped.external_id).hex() if mapped.external_id else "",
        envelope.content,
        mapped.external_id,
        mapped.type,
        mapped.occurred_at.isoformat() if mapped.occurred_at else received,
        received,
        mapped.account,
        mapped.account_name or "",
        mapped.person or "",
        mapped.email or "",
        identity_hash(key, mapped.email).hex() if mapped.email else "",
        scopes.region(mapped.region),
        scopes.segment(mapped.segment),
        orjson.dumps(mapped.fields).decode(),
        envelope.format,
        envelope.payload,
        envelope.reason or " ".join(mapped.problems),
    )


def external_hash(source_id: int, external_id: str, *, person: bytes = b"seen") -> bytes:
    """The 16 bytes under which an id is remembered for ever; keyed, so that they tell nothing of the id."""
    return blake2b(
        f"{source_id}:{external_id}".encode(), digest_size=16, key=settings.IDENTITY_KEY, person=person
    ).digest()


def receive(cur: Any, rows: Sequence[Row]) -> list[Fate]:
    """
    Write what is new of `rows`, with its entries, in `cur`'s transaction (READ COMMITTED); the fate of each, in order.

    `cur` is a raw psycopg cursor. A conflict is kept once, its repeats are duplicates. One statement and the entries'
    one when all are new and understood. On any error the caller rolls back, and nothing is written.
    """
    fates = admit(cur, rows)
    _drop_known_conflicts(cur, rows, fates)
    _keep(cur, [(row, fate) for row, fate in zip(rows, fates, strict=True) if fate in ("dead", "conflict")])
    append(cur, [line(VERBS[fate], row) for row, fate in zip(rows, fates, strict=True) if fate in VERBS])
    return fates


def admit(cur: Any, rows: Sequence[Row]) -> list[Fate]:
    """
    Claim each row's id and write the signals of those that are new and understood; the fate of each, in order.

    Ids are locked in key order until `cur`'s transaction ends. Writes neither dead letters nor entries.
    """
    fates: list[Fate] = ["dead" if row.reason else "accepted" for row in rows]
    first: dict[tuple[int, str], int] = {}
    again: list[tuple[int, int]] = []
    for index, row in enumerate(rows):
        if row.hash and (earlier := first.setdefault((row.source.id, row.hash), index)) != index:
            again.append((index, earlier))
    known = _insert(cur, rows, [first[key] for key in sorted(first)])
    for index, content in known.items():
        fates[index] = "duplicate" if content == rows[index].content else "conflict"
    for index, earlier in again:
        content = known.get(earlier, rows[earlier].content)
        fates[index] = "duplicate" if content == rows[index].content else "conflict"
    return fates


def _insert(cur: Any, rows: Sequence[Row], lines: list[int]) -> dict[int, int]:
    """Insert the rows at `lines`; those whose id was there before → the content known under it."""
    if not lines:
        return {}
    columns = list(zip(*[rows[index] for index in lines], strict=True))
    ids, sources, hashes, contents = columns[:4]
    regions, segments, fields, formats, payloads, reasons = columns[13:]
    join = _SEPARATOR.join
    cur.execute(
        RECEIVE,
        [
            join([f"{id.int:032x}" for id in ids]),
            join([str(source.id) for source in sources]),
            join(hashes),
            join(map(str, contents)),
            *map(join, columns[4:13]),
            join([str(region[1]) for region in regions]),
            join([str(segment[1]) for segment in segments]),
            join(fields),
            join(formats),
            b"\x1f".join(payloads).decode(),
            join(["t" if source.is_demo else "f" for source in sources]),
            join(["t" if reason else "f" for reason in reasons]),
        ],
    )
    if cur.rowcount == len(lines):
        return {}
    new = {row[0] for row in cur.fetchall()}
    old = [index for index in lines if rows[index].id not in new]
    keys = [[rows[index].source.id for index in old], [rows[index].hash for index in old]]
    known = {(source, hash.hex): content for source, hash, content in cur.execute(SEEN, keys).fetchall()}
    return {index: known[rows[index].source.id, rows[index].hash] for index in old}


def _drop_known_conflicts(cur: Any, rows: Sequence[Row], fates: list[Fate]) -> None:
    """A conflict whose very content was kept before becomes a duplicate."""
    found = [(row, index) for index, row in enumerate(rows) if fates[index] == "conflict"]
    if not found:
        return
    keyed = sorted((row.source.id, _conflict_hash(row), row.content, row.id) for row, _ in found)
    new = {row[0] for row in cur.execute(CONFLICTS, list(map(list, zip(*keyed, strict=True)))).fetchall()}
    for row, index in found:
        if row.id not in new:
            fates[index] = "duplicate"


def _conflict_hash(row: Row) -> str:
    return external_hash(row.source.id, f"{row.content}:{row.external_id}", person=b"conflict").hex()


def _keep(cur: Any, letters: Sequence[tuple[Row, Fate]]) -> None:
    if not letters:
        return
    kept = [
        (
            row.id,
            row.source.id,
            "conflict" if fate == "conflict" else "unmapped",
            row.format,
            row.external_id,
            row.payload,
            CONFLICT if fate == "conflict" else row.reason,
            row.received_at,
        )
        for row, fate in letters
    ]
    cur.execute(LETTERS, list(map(list, zip(*kept, strict=True))))


def line(verb: str, row: Row, *, actor: str = "") -> Line:
    """The entry that tells of `row`; by its source unless another `actor` is given."""
    slug = row.source.slug
    return Line(
        verb,
        f"signal:{row.id}",
        actor or f"source:{slug}",
        region=row.region[0],
        segment=row.segment[0],
        account=row.account,
        detail={"format": row.format, "id": row.hash, "source": slug, "type": row.type},
    )
