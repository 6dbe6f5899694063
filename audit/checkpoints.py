"""Checkpoints: signed statements that the first `size` entries have a certain Merkle root.

The text is C2SP's tlog-checkpoint in a signed note, which any transparency-log tool reads. Copies go to a file outside
the database, so that whoever rewrites the whole database is still caught.
"""

import base64
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from audit.keys import Signer, Verifier

_NOTE = re.compile(
    r"(?P<text>(?P<origin>[^\n]+)\n(?P<size>0|[1-9][0-9]{0,18})\n(?P<root>[A-Za-z0-9+/]{43}=)\n(?:[^\n]+\n)*)"
    r"\n(?P<signatures>(?:— [^\n]+\n)+)\n?"
)
_IN_FILE = re.compile(rb"\n(0|[1-9][0-9]{0,18})\n[A-Za-z0-9+/]{43}=\n(?:[^\n]+\n)*\n(?:\xe2\x80\x94 [^\n]+\n)+\n")
"""A note in the file from the end of its first line on, its size as group 1."""
_SIGNED = "— "
_TORN = "— torn\n"
_WINDOW = 1 << 14


class CheckpointError(ValueError):
    """A note that is no checkpoint, or not one that a known key signed."""


class Checkpoint(NamedTuple):
    """What a checkpoint states."""

    origin: str
    size: int
    root: bytes


def sign(signer: Signer, size: int, root: bytes) -> str:
    """The signed note for the first `size` entries, its origin the signer's name."""
    text = f"{signer.name}\n{size}\n{base64.b64encode(root).decode()}\n"
    signature = base64.b64encode(signer.verifier.key_id + signer.sign(text.encode())).decode()
    return f"{text}\n— {signer.name} {signature}\n"


def parse(note: str) -> Checkpoint:
    """What `note` states, its signatures unchecked; CheckpointError when it is no checkpoint."""
    match = _match(note)
    return Checkpoint(match["origin"], int(match["size"]), base64.b64decode(match["root"]))


def verify(note: str, verifiers: Iterable[Verifier]) -> Checkpoint:
    """What `note` states, once a known key's signature holds and none fails; CheckpointError otherwise.

    As C2SP asks, signatures of unknown keys are passed over (a rotated key's, a witness's).
    """
    match = _match(note)
    known = {(v.name, v.key_id): v for v in verifiers}
    held = False
    for line in match["signatures"].splitlines():
        name, _, encoded = line.removeprefix(_SIGNED).rpartition(" ")
        try:
            raw = base64.b64decode(encoded, validate=True)
        except ValueError as error:
            raise CheckpointError("a signature line that cannot be read") from error
        verifier = known.get((name, raw[:4]))
        if verifier is None:
            continue
        if not verifier.holds(match["text"].encode(), raw[4:]):
            raise CheckpointError(f"the signature by {name} does not hold")
        held = True
    if not held:
        raise CheckpointError("no known key signed it")
    return parse(note)


def outside_file() -> Path:
    """The file of checkpoints outside the database."""
    return settings.CHECKPOINTS_FILE or Path(settings.VAR) / "checkpoints.log"


def write_outside(path: Path, note: str) -> None:
    """Append `note` to the file at `path` and wait until it is on disk. A torn end from a crash is closed off first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - 4_096))
        lines = file.read().decode(errors="replace").splitlines(keepends=True)
        if lines and not (lines[-1] == "\n" and len(lines) > 1 and lines[-2].startswith(_SIGNED)):
            whole = lines[-1].startswith(_SIGNED) and lines[-1].endswith("\n")
            file.write(b"\n" if whole else f"\n{_TORN}\n".encode())
        file.write(f"{note}\n".encode())
        file.flush()
        os.fsync(file.fileno())


def read_outside(path: Path, *, after: int = 0) -> Iterator[str]:
    """The notes in the file at `path`, oldest first, read as they are asked for; none when there is no file.

    With `after`, those that stand before the first of a larger size are left out as far as can be, without reading
    them: for a file whose sizes ascend, as they do unless a restore from a backup lies between.

    What stands between notes and is none is yielded too, for the reader to refuse, save writes torn by a crash.
    """
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        file.seek(_offset(path, after) if after else 0)
        lines: list[str] = []
        for line in file:
            if line == "\n" and lines and lines[-1].startswith(_SIGNED):
                if lines[-1] != _TORN:
                    yield "".join(lines)
                lines = []
            else:
                lines.append(line)
        if lines and lines[-1].startswith(_SIGNED) and lines[-1].endswith("\n"):
            yield "".join(lines)


def last_outside(path: Path) -> Checkpoint | None:
    """The newest checkpoint in the file at `path` that can be read, found from its end; None when there is none."""
    if not path.exists():
        return None
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - 65_536))
        tail = file.read().decode(errors="replace")
    for piece in reversed(list(_NOTE.finditer(tail))):
        return parse(piece[0].rstrip("\n") + "\n")
    return None


def _offset(path: Path, after: int) -> int:
    """Where in the file a note begins before which all sizes are at most `after`; found by halving."""
    with path.open("rb") as file:
        low, high, found = 0, file.seek(0, os.SEEK_END), 0
        while high - low > _WINDOW:
            middle = (low + high) // 2
            file.seek(middle)
            match = _IN_FILE.search(file.read(_WINDOW))
            if match is None or int(match[1]) > after:
                high = middle
            else:
                low, found = middle, middle + match.end()
        return found


def _match(note: str) -> re.Match[str]:
    match = _NOTE.fullmatch(note)
    if match is None:
        raise CheckpointError(f"not a checkpoint: {note[:80]!r}")
    return match
