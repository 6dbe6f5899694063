"""Proofs as text in forms that other tools read: that an entry is in the record, and that the record only grew.

Hashes are RFC 6962's, in base64, one a line.
"""

from base64 import b64encode
from collections.abc import Iterable
from typing import Any

from audit.tiles import Tiles


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
    return f"old {old}\n{_lines(Tiles(conn).consistency(old, new))}\n{note}"


def cosigned(conn: Any, size: int, note: str) -> str:
    """`note`, the checkpoint of `size` entries, with the signatures of the witnesses that took it."""
    lines = conn.execute("select line from audit_cosignature where size = %s order by witness", [size]).fetchall()
    return note + "".join(line for (line,) in lines)


def _lines(hashes: Iterable[bytes]) -> str:
    return "".join(f"{b64encode(one).decode()}\n" for one in hashes)
