"""One entry's place under the seal: which checkpoint covers it, and whether that still holds."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from audit import checkpoints
from audit.checkpoints import CheckpointError
from audit.keys import Verifier
from audit.merkle import Frontier, leaf_hash
from audit.models import Checkpoint, Entry, Key, Leaf


@dataclass(frozen=True)
class Seal:
    """`fault` is empty when everything checked holds: bytes against leaf, leaves against root, root against key."""

    seq: int
    leaf: str
    size: int
    root: str
    note: str
    at: datetime
    fault: str


def seal_of(id: UUID) -> Seal | None:
    """The seal over the entry, checked now; None while it is unsealed or when there is no such entry.

    Reads the leaves of its batch only (one sealing, at most audit.seal.BATCH), so it costs the same however long the
    record is. It says nothing of the rest of the record: `verify` does.
    """
    leaf = Leaf.objects.filter(entry=id).first()
    entry = Entry.objects.filter(pk=id).first()
    if leaf is None or entry is None:
        return None
    over = Checkpoint.objects.filter(size__gt=leaf.seq).order_by("size").first()
    if over is None:
        return None
    return Seal(
        leaf.seq,
        bytes(leaf.hash).hex(),
        over.size,
        bytes(over.root).hex(),
        over.note,
        over.at,
        _fault(entry, leaf, over),
    )


def _fault(entry: Entry, leaf: Leaf, over: Checkpoint) -> str:
    if leaf_hash(bytes(entry.body)) != bytes(leaf.hash):
        return "its bytes are not those that were sealed"
    under = Checkpoint.objects.filter(size__lte=leaf.seq).order_by("-size").first()
    frontier = Frontier.from_bytes(bytes(under.frontier)) if under else Frontier()
    hashes = (
        Leaf.objects.filter(seq__gte=frontier.size, seq__lt=over.size).order_by("seq").values_list("hash", flat=True)
    )
    frontier.extend(bytes(hash) for hash in hashes)
    if (frontier.size, frontier.root()) != (over.size, bytes(over.root)):
        return "the leaves of its batch do not lead to the signed root"
    try:
        stated = checkpoints.verify(
            over.note, [Verifier.parse(key) for key in Key.objects.values_list("vkey", flat=True)]
        )
    except CheckpointError as error:
        return str(error)
    return "" if (stated.size, stated.root) == (over.size, bytes(over.root)) else "the checkpoint says another root"
