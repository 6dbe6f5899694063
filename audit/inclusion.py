"""One entry's place under the seal: which checkpoint covers it, and whether that still holds."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from audit import checkpoints, rotation, tiles
from audit.checkpoints import CheckpointError
from audit.keys import Verifier
from audit.merkle import leaf_hash, verify_inclusion
from audit.models import Checkpoint, Entry, Key, Leaf
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


def seal_of(id: UUID) -> Seal | None:
    """The seal over the entry, checked now; None while it is unsealed or when there is no such entry.

    Costs the same however long the record is: a proof is read, not computed. It says nothing of the rest of the
    record: `verify` does.
    """
    leaf = Leaf.objects.filter(entry=id).first()
    entry = Entry.objects.filter(pk=id).first()
    if leaf is None or entry is None:
        return None
    over = Checkpoint.objects.filter(size__gt=leaf.seq).order_by("size").first()
    if over is None:
        return None
    proof, fault = _proof(leaf, over)
    return Seal(
        leaf.seq,
        bytes(leaf.hash).hex(),
        over.size,
        bytes(over.root).hex(),
        over.note,
        over.at,
        tuple(proof),
        _fault(entry, leaf, over) or fault,
        _doubt(over),
    )


def _proof(leaf: Leaf, over: Checkpoint) -> tuple[list[bytes], str]:
    try:
        with connection.cursor() as cursor:
            proof = tiles.inclusion(cursor, leaf.seq, over.size)
    except tiles.TileError:
        return [], "leaves or tiles of the tree over it are gone"
    holds = verify_inclusion(bytes(leaf.hash), leaf.seq, over.size, proof, bytes(over.root))
    return proof, "" if holds else "its proof does not lead to the signed root"


def _fault(entry: Entry, leaf: Leaf, over: Checkpoint) -> str:
    if leaf_hash(bytes(entry.body)) != bytes(leaf.hash):
        return "its bytes are not those that were sealed"
    try:
        stated = checkpoints.verify(over.note, _keys(over.size))
    except (CheckpointError, Refused, tiles.TileError) as error:
        return str(error)
    return "" if (stated.size, stated.root) == (over.size, bytes(over.root)) else "the checkpoint says another root"


def _doubt(over: Checkpoint) -> str:
    try:
        checkpoints.verify(over.note, _keys(over.size, known=1))
    except (CheckpointError, Refused, tiles.TileError):
        return "nothing sealed brought in the key that signed it"
    return ""


def _keys(size: int, known: int | None = None) -> list[Verifier]:
    """Those of the first `known` keys, and those that sealed changes brought in, that may sign for `size` entries."""
    given = [Verifier.parse(key) for key in Key.objects.values_list("vkey", flat=True)[:known]]
    with connection.cursor() as cursor:
        return [key for key, until in rotation.followed(cursor, given).items() if size <= until]
