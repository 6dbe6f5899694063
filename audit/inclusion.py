"""One entry's place under the seal: which checkpoint covers it, and whether that still holds."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from audit import checkpoints, rotation, tiles
from audit.checkpoints import CheckpointError
from audit.merkle import leaf_hash, verify_inclusion
from audit.models import Checkpoint, Entry, Leaf
from audit.standalone import Refused


@dataclass(frozen=True)
class Seal:
    """`fault` is empty when everything checked holds: bytes against leaf, `proof` against root, root against key."""

    seq: int
    leaf: str
    size: int
    root: str
    note: str
    at: datetime
    proof: tuple[bytes, ...]
    """RFC 6962's audit path from the leaf to the root."""
    fault: str
    doubt: str
    """Why the key that signed it may be another's, though it is one of the record's; "" when nothing says so."""


def seal_of(id: UUID, *, cosigned: bool = False) -> Seal | None:
    """The seal over the entry, checked now; None while it is unsealed or when there is no such entry.

    Of the checkpoints over it the first, or if `cosigned` the first that a witness signed, where one did. Costs the
    same however long the record is: a proof is read, not computed; only each change of keys adds to it. It says
    nothing of the rest of the record: `verify` does.
    """
    leaf = Leaf.objects.filter(entry=id).first()
    entry = Entry.objects.filter(pk=id).first()
    if leaf is None or entry is None:
        return None
    above = Checkpoint.objects.filter(size__gt=leaf.seq).order_by("size")
    over = (above.filter(size=_cosigned(leaf.seq) or 0).first() if cosigned else None) or above.first()
    if over is None:
        return None
    proof, fault = _proof(leaf, over)
    wrong, doubt = _signature(over)
    if leaf_hash(bytes(entry.body)) != bytes(leaf.hash):
        wrong = "its bytes are not those that were sealed"
    return Seal(
        leaf.seq,
        bytes(leaf.hash).hex(),
        over.size,
        bytes(over.root).hex(),
        over.note,
        over.at,
        tuple(proof),
        wrong or fault,
        doubt,
    )


def _cosigned(seq: int) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute("select min(size) from audit_cosignature where size > %s", [seq])
        size: int | None = cursor.fetchone()[0]
    return size


def _proof(leaf: Leaf, over: Checkpoint) -> tuple[list[bytes], str]:
    try:
        with connection.cursor() as cursor:
            proof = tiles.inclusion(cursor, leaf.seq, over.size)
    except tiles.TileError:
        return [], "leaves or tiles of the tree over it are gone"
    holds = verify_inclusion(bytes(leaf.hash), leaf.seq, over.size, proof, bytes(over.root))
    return proof, "" if holds else "its proof does not lead to the signed root"


def _signature(over: Checkpoint) -> tuple[str, str]:
    """What is wrong with the checkpoint, and what to doubt of it though it holds."""
    doubt = ""
    try:
        with connection.cursor() as cursor:
            try:
                stated = checkpoints.verify(over.note, rotation.signing(cursor, over.size, first=True))
            except CheckpointError:
                stated = checkpoints.verify(over.note, rotation.signing(cursor, over.size))
                doubt = "nothing sealed brought in the key that signed it"
    except (CheckpointError, Refused, tiles.TileError) as error:
        return str(error), ""
    said = "" if (stated.size, stated.root) == (over.size, bytes(over.root)) else "the checkpoint says another root"
    return said, doubt
