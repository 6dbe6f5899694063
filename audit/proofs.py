"""Proofs as text in forms that other tools read: that an entry is in the record, and that the record only grew.

Hashes are RFC 6962's, in base64, one a line.
"""

from base64 import b64encode
from collections.abc import Iterable
from typing import Any

from audit import checkpoints, rotation
from audit.merkle import verify_consistency
from audit.tiles import TileError, Tiles

_NEWEST = """
select size, note from audit_checkpoint where size = coalesce(
    (select max(size) from audit_cosignature join audit_checkpoint using (size)
        where audit_cosignature.at > clock_timestamp() - interval '1 minute' and size >= %s),
    (select max(size) from audit_checkpoint)
)
"""


def inclusion(seq: int, path: Iterable[bytes], note: str, body: bytes) -> str:
    """
    A C2SP tlog-proof (https://c2sp.org/tlog-proof): entry `seq`, its audit path, the checkpoint that it leads to.

    Its "extra" line is the entry's bytes, in base64, so that the file is all a verifier needs beside the public key.
    """
    return f"c2sp.org/tlog-proof@v1\nextra {b64encode(body).decode()}\nindex {seq}\n{_lines(path)}\n{note}"


def consistency(conn: Any, old: int, new: int, note: str) -> str:
    """
    That the tree of `new` entries, whose checkpoint is `note`, begins with that of `old`: what C2SP's witnesses ask.

    The body of an add-checkpoint request (https://c2sp.org/tlog-witness). `conn` as for `audit.tiles`; TileError when
    nodes are missing.
    """
    return _consistency(old, Tiles(conn).consistency(old, new), note)


def checked_consistency(conn: Any, old: int, new: int, note: str) -> str:
    """
    The same, held against the checkpoint of `old` entries, if it is stored, and the keys that may sign.

    TileError, CheckpointError or Refused, saying why, where it does not hold.
    """
    stated = checkpoints.verify(note, rotation.signing(conn, new))
    path = Tiles(conn).consistency(old, new)
    row = conn.execute("select root from audit_checkpoint where size = %s", [old]).fetchone()
    if stated.size != new or (row and not verify_consistency(old, new, path, bytes(row[0]), stated.root)):
        raise TileError(f"its proof does not lead from the checkpoint of {old:,} entries to that of {new:,}")
    return _consistency(old, path, note)


def newest(conn: Any, *, over: int = 0) -> tuple[int, str] | None:
    """The size and note of the newest checkpoint, or of the newest over at least `over` entries that a witness signed
    when that is not long ago, with the witnesses' signatures; None when nothing is sealed."""
    row = conn.execute(_NEWEST, [over]).fetchone()
    return None if row is None else (row[0], cosigned(conn, *row))


def cosigned(conn: Any, size: int, note: str) -> str:
    """`note`, the checkpoint of `size` entries, with the signatures of the witnesses that took it."""
    lines = conn.execute("select line from audit_cosignature where size = %s order by witness", [size]).fetchall()
    return note + "".join(line for (line,) in lines)


def _consistency(old: int, path: Iterable[bytes], note: str) -> str:
    return f"old {old}\n{_lines(path)}\n{note}"


def _lines(hashes: Iterable[bytes]) -> str:
    return "".join(f"{b64encode(one).decode()}\n" for one in hashes)
