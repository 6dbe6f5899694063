#!/usr/bin/env python3
"""Verify a Signalbox export on a machine that has nothing but Python (3.8 or later).

    python standalone.py EXPORT [--key VKEY] [--witness VKEY]

Exit status 0: verified. 1: refused, and the wrong entries are named. 2: nothing to verify, such as no file.

An export is lines of JSON. The first holds a checkpoint: a signed statement that the record's first n entries have a
certain RFC 6962 Merkle root. Then come the entries, each with the very bytes that were sealed, and between them the
hashes of those that were left out. This program grows the tree from both and compares its root with the signed one.
It reads line by line, so an export may be larger than memory.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import json
import re
import sys
import zlib
from datetime import datetime, timezone
from typing import Any, BinaryIO, Iterator

LONGEST = 1 << 24
"""Bytes of the longest line that is read."""
NAMED = 20
"""How many problems are named; all are counted."""
BOUNDLESS = 1 << 63
"""The size up to which a key may sign that no other has followed."""
PLAIN = ("agent", "verb", "actor", "account", "subject", "request", "run")
PLURAL = {"regions": "region", "segments": "segment"}

_HASH = re.compile(r"[0-9a-f]{64}\Z")
_NOTE = re.compile(
    r"(?P<text>(?P<origin>[^\n]+)\n(?P<size>0|[1-9][0-9]{0,18})\n(?P<root>[A-Za-z0-9+/]{43}=)\n(?:[^\n]+\n)*)"
    r"\n(?P<signatures>(?:\u2014 [^\n]+\n)+)\Z"
)


class Refused(Exception):
    """What is wrong, so that nothing after it can be checked either."""


# Ed25519, RFC 8032, section 5.1: verification alone, where nothing is secret and time is no matter.

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P


def ed25519_holds(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) over `message` is that of the key `public` (32 bytes)."""
    if len(public) != 32 or len(signature) != 64:
        return False
    a, r = _point(public), _point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= _L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _L
    left, right = _times(s, _BASE), _sum(r, _times(k, a))
    return not ((left[0] * right[2] - right[0] * left[2]) % _P or (left[1] * right[2] - right[1] * left[2]) % _P)


def _point(data: bytes) -> Any:
    """The point that 32 bytes stand for, as X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z; None when they are none."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


def _sum(p: Any, q: Any) -> Any:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % _P, (p[1] + p[0]) * (q[1] + q[0]) % _P
    c, d = 2 * p[3] * q[3] * _D % _P, 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(n: int, p: Any) -> Any:
    q = (0, 1, 1, 0)
    while n:
        if n & 1:
            q = _sum(q, p)
        p, n = _sum(p, p), n >> 1
    return q


_BASE = _point((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))


# The tree of RFC 6962


class Edge:
    """The right edge of a tree: the roots of its perfect subtrees, the largest first. Grows by leaves and subtrees."""

    def __init__(self) -> None:
        self.size = 0
        self.nodes: list[bytes] = []

    def add(self, node: bytes, size: int = 1) -> None:
        """Append the root of `size` leaves, a power of two that divides the tree's size."""
        rest = self.size // size
        while rest & 1:
            node = hashlib.sha256(b"\1" + self.nodes.pop() + node).digest()
            rest >>= 1
        self.nodes.append(node)
        self.size += size

    def root(self) -> bytes:
        """The root over all of them."""
        if not self.nodes:
            return hashlib.sha256(b"").digest()
        node = self.nodes[-1]
        for left in reversed(self.nodes[:-1]):
            node = hashlib.sha256(b"\1" + left + node).digest()
        return node


def stretch(start: int, stop: int) -> Iterator[int]:
    """The sizes of the largest aligned subtrees that make up the leaves from `start` up to `stop`, in order."""
    while start < stop:
        size = 1 << ((stop - start).bit_length() - 1)
        size = min(size, start & -start) if start else size
        yield size
        start += size


def included(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    """Whether `path` shows that `leaf` is number `index` of the tree of `size` leaves with this `root`."""
    if not 0 <= index < size:
        return False
    at, last, node = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            node = hashlib.sha256(b"\1" + sibling + node).digest()
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\1" + node + sibling).digest()
        at, last = at >> 1, last >> 1
    return last == 0 and node == root


# Keys and checkpoints, as C2SP writes them


class Key:
    """A public key: of the record (kind 1) or of a witness (kind 4)."""

    def __init__(self, vkey: str) -> None:
        try:
            name, hint, encoded = vkey.strip().split("+", 2)
            raw = base64.b64decode(encoded, validate=True)
        except ValueError:
            raise Refused("not a verifier key: %.80r" % vkey) from None
        self.name, self.public, self.kind, self.vkey = name, raw[1:], raw[:1], vkey.strip()
        self.id, self.until = key_id(name, raw), BOUNDLESS
        if not name or len(raw) != 33 or self.kind not in (b"\1", b"\4") or hint != self.id.hex():
            raise Refused("not an Ed25519 verifier key: %.80r" % vkey)

    def signed(self, note: Note) -> int | None:
        """When this key signed (0 where its kind doesn't say), None when it did not; Refused when it fails."""
        for name, raw in note.signatures:
            if (name, raw[:4]) != (self.name, self.id):
                continue
            text, at = note.text, 0
            if self.kind == b"\4":
                at = int.from_bytes(raw[4:12], "big")
                text, raw = b"cosignature/v1\ntime %d\n" % at + text, raw[8:]
            if not ed25519_holds(self.public, text, raw[4:]):
                raise Refused(f"the checkpoint's signature by {self.name} does not hold")
            return at
        return None

    def vouches(self, note: Note) -> bool:
        """Whether this key signed the note of its own record while it was the one to do so; Refused as `signed`."""
        return self.name == note.origin and note.size <= self.until and self.signed(note) is not None


def key_id(name: str, raw: bytes) -> bytes:
    """C2SP's key id; `raw` is the byte of the key's kind and the key."""
    return hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]


class Note:
    """A signed checkpoint, its signatures not looked at yet."""

    def __init__(self, note: Any) -> None:
        match = _NOTE.match(note) if isinstance(note, str) else None
        if match is None:
            raise Refused("what should be a checkpoint is none")
        self.text, self.origin, self.size = match["text"].encode(), match["origin"], int(match["size"])
        self.root = base64.b64decode(match["root"])
        self.signatures = []
        for line in match["signatures"].splitlines():
            name, _, encoded = line[2:].rpartition(" ")
            try:
                self.signatures.append((name, base64.b64decode(encoded, validate=True)))
            except ValueError:
                raise Refused("a signature of the checkpoint can't be read") from None


def assent(before: str, new: str) -> bytes:
    """What the key `before` signs so that the key `new` may follow it; both as verifier keys."""
    return f"signalbox/key-change\n{before}\n{new}\n".encode()


def trusted(pinned: list[Key], rotations: list[Any]) -> list[Key]:
    """`pinned`, and each key that one of them signed for in an entry that it sealed. A key that another followed is
    good up to the checkpoint that sealed the change, and for nothing after it (`until`)."""
    keys = [Key(key.vkey) for key in pinned]
    for one in rotations:
        note = Note(one.get("checkpoint"))
        signers = {key.vkey: key for key in keys if key.vouches(note)}
        if not signers:
            continue
        seq, body, path = one.get("seq"), one.get("body"), one.get("proof")
        if not (type(seq) is int and isinstance(body, str) and _is_list(path, str) and all(map(_is_hash, path))):
            raise Refused("a change of keys in the first line can't be read")
        leaf = hashlib.sha256(b"\0" + _bytes(body)).digest()
        if not included(leaf, seq, note.size, [bytes.fromhex(node) for node in path], note.root):
            raise Refused("a change of keys in the first line was not sealed by the key before it")
        before, new = _change(body, signers)
        if before is not None and new is not None and before.until == BOUNDLESS:
            before.until = note.size
            keys += [new] if new.vkey not in [key.vkey for key in keys] else []
    return keys


def _change(body: str, keys: dict[str, Key]) -> tuple[Key | None, Key | None]:
    """The one of `keys` that is followed and the key that follows it, if the entry holds the first one's assent."""
    try:
        detail = json.loads(body)["detail"]
        before, new = keys[detail["before"]], detail["key"]
        signature = base64.b64decode(detail["assent"], validate=True)
        holds = ed25519_holds(before.public, assent(before.vkey, new), signature)
        return (before, Key(new)) if holds else (None, None)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None, None


# The walk


class Check:
    """One pass over an export."""

    def __init__(self, file: BinaryIO, pinned: list[Key], witnesses: list[Key]) -> None:
        self.file, self.pinned, self.witnesses = file, pinned, witnesses
        self.sum, self.line, self.edge = hashlib.sha256(), 0, Edge()
        self.entries = self.dropped = self.left_out = self.unsealed = self.found = 0
        self.first = self.last = ""
        self.problems: list[str] = []
        self.signers: list[str] = []
        self.cosigned: list[tuple[str, int]] = []
        self.filter: dict[str, Any] = {}
        self.made: dict[str, Any] = {}
        self.note: Note | None = None

    def problem(self, what: str) -> None:
        """Count it, and keep it while there is room."""
        self.found += 1
        if len(self.problems) < NAMED:
            self.problems.append(what)

    def run(self) -> bool:
        """Check it all; what is wrong is in `problems` then. Whether nothing is."""
        try:
            self.header(self.parse(self.read()))
            while self.step(self.read()):
                pass
        except Refused as refused:
            self.problem(str(refused))
        except (
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            RecursionError,
            OSError,
            EOFError,
            zlib.error,
        ) as error:
            self.problem(f"{self.where()}: can't be read ({error})")
        return not self.found

    def read(self) -> bytes:
        """The next line, whole."""
        self.line += 1
        raw = self.file.readline(LONGEST)
        if not raw.endswith(b"\n"):
            raise Refused(f"{self.where()}: the export is cut off here")
        return raw

    def where(self) -> str:
        """The line at hand, and the number of the entry that should stand there."""
        return "line %d" % self.line + (f", number {self.edge.size:,}" if self.line > 1 else "")

    def parse(self, raw: bytes) -> dict[str, Any]:
        """A line as the object that it must be; it counts towards the sum of the whole unless it is the last."""
        try:
            doc = json.loads(raw.decode())
        except (ValueError, RecursionError):
            raise Refused(f"{self.where()}: can't be read, so it was changed") from None
        if not isinstance(doc, dict) or _bytes(written(doc)) != raw[:-1]:
            raise Refused(f"{self.where()}: is not written as an export is, so it was changed")
        if "end" not in doc:
            self.sum.update(raw)
        return doc

    def header(self, doc: dict[str, Any]) -> None:
        """The first line: what is claimed, and whether a trusted key signed the checkpoint."""
        if doc.get("signalbox") != "export" or doc.get("v") != 1:
            raise Refused("this is no Signalbox export that this program knows (line 1)")
        vkeys, rotations = doc.get("vkeys", []), doc.get("rotations", [])
        self.filter, self.made = doc.get("filter", {}), doc.get("made", {})
        if not (_is_list(vkeys, str) and _is_list(rotations, dict) and _is_list([self.filter, self.made], dict)):
            raise Refused("line 1 can't be read, so it was changed")
        self.note = note = Note(doc.get("checkpoint"))
        if note.origin != doc.get("origin"):
            raise Refused("line 1 names another origin than its checkpoint")
        keys = trusted(self.pinned or [Key(vkey) for vkey in vkeys], rotations)
        self.signers = [key.vkey for key in keys if key.vouches(note)]
        if not self.signers:
            raise Refused("none of the keys %s signed the checkpoint" % ("given" if self.pinned else "in line 1"))
        for witness in self.witnesses:
            at = witness.signed(note)
            if at is None:
                raise Refused(f"the witness {witness.name} did not sign the checkpoint")
            self.cosigned.append((witness.name, at))

    def step(self, raw: bytes) -> bool:
        """One line after the first; whether more must follow."""
        doc = self.parse(raw)
        names = set(doc) - {"say", "check"}
        if names == {"seq", "hash", "body"} or names == {"seq", "hash", "dropped"}:
            self.entry(doc)
        elif names == {"from", "to", "hashes"} and len(doc) == 3:
            self.gap(doc["from"], doc["to"], doc["hashes"])
        elif names == {"unsealed"} and len(doc) == 1:
            if type(doc["unsealed"]) is not int:
                raise Refused(f"{self.where()}: how many were not sealed can't be read")
            self.unsealed = doc["unsealed"]
        elif names == {"end", "entries", "sha256"} and len(doc) == 3:
            self.end(doc)
            return False
        else:
            raise Refused(f"{self.where()}: holds what no export holds, so it was changed")
        return True

    def entry(self, doc: dict[str, Any]) -> None:
        """An entry: in its place, its bytes those that its leaf was made of."""
        where, leaf = self.where(), doc["hash"]
        if not _is_hash(leaf):
            raise Refused(f"{where}: its hash can't be read, so it was changed")
        if doc["seq"] != self.edge.size or type(doc["seq"]) is not int:
            raise Refused(
                "%s: says that it is number %.40r. Entries are missing, stand twice or out of order"
                % (where, doc["seq"])
            )
        said = doc.get("say", doc.get("dropped"))
        if said is not None and (not isinstance(said, str) or doc.get("check") != check(said)):
            self.problem(f"{where}: what stands beside the sealed bytes was changed")
        self.edge.add(bytes.fromhex(leaf))
        if "dropped" in doc:
            self.dropped += 1
        elif not isinstance(doc["body"], str) or hashlib.sha256(b"\0" + _bytes(doc["body"])).hexdigest() != leaf:
            self.problem("{}: its bytes are not those that were sealed{}".format(where, _id(doc["body"])))
        else:
            self.inside(where, json.loads(doc["body"]))
        self.entries += 1

    def inside(self, where: str, said: dict[str, Any]) -> None:
        """What an entry says: whether the filter in line 1 would have let it through."""
        at = str(said.get("at", ""))
        self.first, self.last = min(self.first or at, at), max(self.last, at)
        for name in PLAIN:
            wanted = self.filter.get(name)
            if isinstance(wanted, str) and wanted and said.get(name, "") != wanted:
                self.problem(f"{where}: is not of {name} {wanted:.80}, which line 1 says it was filtered by")
        for names, name in PLURAL.items():
            wanted = self.filter.get(names)
            if isinstance(wanted, list) and wanted and said.get(name, "") not in wanted:
                self.problem(f"{where}: is of another {name} than line 1 says it was filtered by")
        for name in ("since", "until"):
            limit = self.filter.get(name)
            if isinstance(limit, str) and limit and (moment(at) < moment(limit)) == (name == "since"):
                self.problem(f"{where}: is not {name} {limit:.40}, which line 1 says it was filtered by")

    def gap(self, start: Any, stop: Any, hashes: Any) -> None:
        """Entries that were left out: only the hashes over them."""
        if not (type(start) is int and type(stop) is int and 0 <= start < stop < 1 << 63 and _is_list(hashes, str)):
            raise Refused(f"{self.where()}: a stretch that was left out can't be read")
        if start != self.edge.size:
            raise Refused(
                "%s: a stretch from number %d stands here: lines are missing or twice" % (self.where(), start)
            )
        sizes = list(stretch(start, stop))
        if len(sizes) != len(hashes) or not all(_is_hash(node) for node in hashes):
            raise Refused(f"{self.where()}: the hashes over what was left out were changed")
        for size, node in zip(sizes, hashes):
            self.edge.add(bytes.fromhex(node), size)
        self.left_out += stop - start

    def end(self, doc: dict[str, Any]) -> None:
        """The last line: is it all there, and does the tree have the root that was signed?"""
        assert self.note is not None
        if doc["end"] is not True or doc["entries"] != self.entries:
            self.problem("the last line says %.40r entries, there are %d" % (doc["entries"], self.entries))
        if self.edge.size != self.note.size:
            self.problem(
                f"these lines cover {self.edge.size:,} entries, the checkpoint {self.note.size:,}: "
                "lines are missing, or it is the checkpoint of another export"
            )
        elif self.edge.root() != self.note.root:
            self.problem("the tree over these lines does not have the root that was signed")
        if doc["sha256"] != self.sum.hexdigest():
            self.problem("the export's own checksum does not hold: a line was changed after it was written")
        if self.file.read(1):
            self.problem("something follows the last line")


def written(doc: dict[str, Any]) -> str:
    """An object as the one way in which exports write it."""
    return json.dumps(doc, ensure_ascii=False, separators=(",", ":"))


def check(said: str) -> str:
    """The checksum of text that stands beside sealed bytes."""
    return hashlib.sha256(_bytes(said)).hexdigest()[:16]


def moment(text: str) -> datetime:
    """A moment as the record writes it."""
    at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return at if at.tzinfo else at.replace(tzinfo=timezone.utc)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and _HASH.match(value) is not None


def _is_list(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(one, kind) for one in value)


def _id(body: Any) -> str:
    found = re.search(r'"id":"([0-9a-f-]{36})"', body) if isinstance(body, str) else None
    return f" (it calls itself entry {found[1]})" if found else ""


def report(check: Check) -> str:
    """What was checked and what was found, in words."""
    lines, note = [], check.note
    if note is not None:
        asked = ", ".join(f"{name} {value}" for name, value in sorted(check.filter.items()) if value)
        lines += [
            "Record       {}, {} entries sealed".format(note.origin, f"{note.size:,}"),
            "Exported     {} by {}".format(check.made.get("at", "?"), check.made.get("by", "?")),
            "Filter       %s" % (asked or "none: everything"),
            "Entries      {:,} here{}, {:,} left out (their hashes are here)".format(
                check.entries, f", {check.dropped:,} of them without bytes" if check.dropped else "", check.left_out
            ),
        ]
        if check.unsealed:
            lines.append(f"Not sealed   {check.unsealed:,} that it should hold were not sealed yet")
        if check.first:
            lines.append(f"From, to     {check.first}, {check.last}")
        lines += [f"Signed by    {key}" for key in check.signers]
        lines += [f"Witnessed by {name} at {datetime.fromtimestamp(at, timezone.utc)}" for name, at in check.cosigned]
        if check.signers and not check.pinned:
            lines.append(
                "             This key came with the export. Compare it with the one you were told, or give --key."
            )
    if check.found:
        more = " The first %d:" % NAMED if check.found > NAMED else ""
        return "\n".join(
            [*lines, "", "REFUSED: %d found.%s" % (check.found, more), *("  " + one for one in check.problems)]
        )
    lines += [
        "",
        "VERIFIED: every entry here is in the signed record, unchanged and in its place.",
        "Who exported it, the filter, and sentences beside the sealed bytes are the exporter's own words.",
    ]
    if check.left_out:
        lines.append("Whether all that fits the filter is here can't be told from what was left out.")
    return "\n".join(lines)


def main() -> int:
    """Verify the export that the command line names; the exit status."""
    parser = argparse.ArgumentParser(description="Verify a Signalbox export: needs nothing but Python.")
    parser.add_argument("export", help="the file (.ndjson, or gzipped), or - for standard input")
    parser.add_argument("--key", action="append", default=[], help="trust this key of the record only (repeatable)")
    parser.add_argument("--witness", action="append", default=[], help="this witness must have signed too (repeatable)")
    given = parser.parse_args()
    try:
        pinned, witnesses = [Key(key) for key in given.key], [Key(key) for key in given.witness]
        file: Any = sys.stdin.buffer if given.export == "-" else open(given.export, "rb")
        if file.peek(2)[:2] == b"\x1f\x8b":
            file = gzip.open(file)
    except (Refused, OSError) as error:
        print(f"There is nothing to verify: {error}", file=sys.stderr)
        return 2
    with file:
        one = Check(file, pinned, witnesses)
        held = one.run()
    print(report(one))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
