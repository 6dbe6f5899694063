"""Changing the key that signs: an entry, sealed by the old key before the new one signs anything.

`ask` makes the new key and writes the entry; the sealer goes over to it once a checkpoint of the old key covers that
entry (`due`). The entry holds the old key's signature over the new one, so that to write an entry is not enough to
bring in a key. So whoever trusts the first key can follow to every later one: each change stands in the record, signed
for and sealed by the key before it, which counts for nothing after that.
"""

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from audit import keys, standalone
from audit.entries import Line, append
from audit.keys import Signer, Verifier
from audit.tiles import Tiles

VERB = "record.key-rotated"
SUBJECT = "record:key"

_CHANGES = """
select l.seq, e.body, c.size, c.note from audit_entry e join audit_leaf l on l.entry = e.id
cross join lateral (select size, note from audit_checkpoint where size > l.seq order by size limit 1) c
where e.subject = %s and e.verb = %s order by l.seq
"""


_NAMED = """
select min(coalesce(l.seq, 9223372036854775807)) from audit_entry e left join audit_leaf l on l.entry = e.id
where e.subject = %s and e.verb = %s and position(convert_to(%s, 'UTF8') in e.body) > 0
"""


def next_file() -> Path:
    """Where a new signing key waits for its change to be sealed."""
    return keys.key_file().with_name("seal.key.next")


def ask(conn: Any, *, actor: str, by: str, why: str) -> Verifier:
    """Make a new signing key and write the entry that brings it in; the sealer does the rest. `conn` is in autocommit.

    A key that was made before a crash and that no entry names yet is taken up. ValueError when a change is under way
    already, OSError when the key's file can't be written.
    """
    old = keys.signer(conn)
    new = Signer.parse(next_file().read_text()) if next_file().exists() else Signer.make(old.name)
    if _named(conn, new) is not None:
        raise ValueError(f"a change of keys waits for the sealer already: {next_file()}")
    before, brought = old.verifier.vkey, new.verifier.vkey
    assent = base64.b64encode(old.sign(standalone.assent(before, brought))).decode()
    detail = {"key": brought, "before": before, "assent": assent, "by": by, "why": why}
    with conn.transaction():
        append(conn, [Line(VERB, SUBJECT, actor, detail=detail)])
        keys.write_once(next_file(), new.secret())
    return new.verifier


def due(conn: Any, size: int) -> Signer | None:
    """The new signer, once the entry that brings it in is among the first `size` that the old key sealed."""
    if not next_file().exists():
        return None
    new = Signer.parse(next_file().read_text())
    seq = _named(conn, new)
    return new if seq is not None and seq < size else None


def _named(conn: Any, new: Signer) -> int | None:
    """The number of the first entry that brings in `new`, beyond all numbers while it has none; None without one."""
    row = conn.execute(_NAMED, [SUBJECT, VERB, f'"key":"{new.verifier.vkey}"']).fetchone()
    return None if row[0] is None else int(row[0])


def go_over(conn: Any, new: Signer) -> None:
    """Make `new` the key that signs. The old private key is gone from then on; its public half stays in `audit_key`."""
    conn.execute("insert into audit_key (vkey) values (%s) on conflict do nothing", [new.verifier.vkey])
    next_file().replace(keys.key_file())


def chain(conn: Any, reader: Tiles) -> list[dict[str, Any]]:
    """Every change of keys so far, each with its bytes, its proof and the checkpoint that sealed it: what a verifier
    that trusts an older key needs. One whose bytes are no text changes nothing. TileError when nodes are missing."""
    changes = []
    for seq, body, size, note in conn.execute(_CHANGES, [SUBJECT, VERB]).fetchall():
        try:
            text = bytes(body).decode()
        except UnicodeDecodeError:
            continue
        proof = [node.hex() for node in reader.inclusion(seq, size)]
        changes.append({"seq": seq, "body": text, "proof": proof, "checkpoint": note})
    return changes


def signing(conn: Any, size: int, *, first: bool = False) -> list[Verifier]:
    """The keys in `audit_key`, or the first of them, and those that sealed changes brought in, as far as they may sign
    for `size` entries. Raises as `followed`, and costs two signatures to check for each change of keys."""
    rows = conn.execute("select vkey from audit_key order by at, vkey limit %s", [1 if first else None]).fetchall()
    return [key for key, until in followed(conn, [Verifier.parse(row[0]) for row in rows]).items() if size <= until]


def followed(conn: Any, pinned: Iterable[Verifier]) -> dict[Verifier, int]:
    """`pinned`, and every key that a sealed change brought in after one of them; each with the size up to which it may
    sign. standalone.Refused when a change that claims to be sealed is not, TileError when its proof is gone."""
    given = [standalone.Key(verifier.vkey) for verifier in pinned]
    return {Verifier.parse(key.vkey): key.until for key in standalone.trusted(given, chain(conn, Tiles(conn)))}
