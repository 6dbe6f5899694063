"""Changing the key that signs: an entry, sealed by the old key before the new one signs anything.

`ask` makes the new key and writes the entry; the sealer goes over to it once a checkpoint of the old key covers that
entry (`due`). So whoever trusts the first key can follow to every later one: each change stands in the record under a
checkpoint that the key before it signed.
"""

import secrets
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


def next_file() -> Path:
    """Where a new signing key waits for its change to be sealed."""
    return keys.key_file().with_name("seal.key.next")


def ask(conn: Any, *, actor: str, by: str, why: str) -> Verifier:
    """Make a new signing key and write the entry that brings it in; the sealer does the rest. `conn` is in autocommit.

    ValueError when a change is under way already, OSError when the key's file can't be written.
    """
    if next_file().exists():
        raise ValueError(f"a change of keys waits for the sealer already: {next_file()}")
    old = keys.signer(conn)
    new = Signer.make(old.name)
    detail = {"key": new.verifier.vkey, "before": old.verifier.vkey, "by": by, "why": why}
    with conn.transaction():
        append(conn, [Line(VERB, SUBJECT, actor, detail=detail)])
        keys.write_once(next_file(), new.secret())
    return new.verifier


def due(conn: Any, size: int) -> Signer | None:
    """The new signer, once the entry that brings it in is among the first `size` that the old key sealed."""
    if not next_file().exists():
        return None
    new = Signer.parse(next_file().read_text())
    brought = (one["body"] for one in chain(conn, Tiles(conn)) if one["seq"] < size)
    return new if any(f'"key":"{new.verifier.vkey}"' in body for body in brought) else None


def go_over(conn: Any, new: Signer) -> None:
    """Make `new` the key that signs. The old private key is gone from then on; its public half stays in `audit_key`."""
    conn.execute("insert into audit_key (vkey) values (%s) on conflict do nothing", [new.verifier.vkey])
    draft = keys.key_file().with_name(f"seal.key.{secrets.token_hex(4)}")
    draft.hardlink_to(next_file())
    draft.replace(keys.key_file())
    next_file().unlink()


def chain(conn: Any, reader: Tiles) -> list[dict[str, Any]]:
    """Every change of keys so far, each with its bytes, its proof and the checkpoint that sealed it: what a verifier
    that trusts an older key needs."""
    return [
        {
            "seq": seq,
            "body": bytes(body).decode(),
            "proof": [node.hex() for node in reader.inclusion(seq, size)],
            "checkpoint": note,
        }
        for seq, body, size, note in conn.execute(_CHANGES, [SUBJECT, VERB]).fetchall()
    ]


def followed(conn: Any, pinned: list[Verifier]) -> list[Verifier]:
    """`pinned`, and every key that a sealed change brought in after one of them. standalone.Refused when a change that
    claims to be sealed is not."""
    given = [standalone.Key(verifier.vkey) for verifier in pinned]
    return [Verifier.parse(key.vkey) for key in standalone.trusted(given, chain(conn, Tiles(conn)))]
