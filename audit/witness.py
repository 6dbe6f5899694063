"""A witness: sees to it that a record only ever grows, and signs what it has seen. Needs no Django and no database.

    python -m audit.witness key   --state DIR --name witness.example/one     makes its key, prints the public half
    python -m audit.witness serve --state DIR --log VKEY [--log VKEY] [--bind 127.0.0.1] [--port 9470]
    python -m audit.witness reset --state DIR --origin ORIGIN --why TEXT     forgets a record restored from a backup

Run it where whoever keeps the record has no say. It speaks C2SP's tlog-witness: `POST /add-checkpoint` brings a signed
checkpoint and the proof that it continues the last one seen; the answer is a timestamped cosignature (cosignature/v1).
A fork, a step back or a rewritten past gets none, and is kept in DIR/refused.log: signed by the record's own key, it is
evidence.
"""

import argparse
import base64
import fcntl
import json
import os
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.merkle import EMPTY_ROOT, verify_consistency
from audit.standalone import Key, Note, Refused, key_id

LARGEST = 1 << 16
PROOF_LINES = 63
EVIDENCE = 1 << 24
"""Bytes of refused.log after which nothing more is kept in it."""
_KIND = b"\4"
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")


class Answer(NamedTuple):
    """What the caller is told."""

    status: int
    body: str
    content_type: str = "text/plain; charset=utf-8"


class Witness:
    """One witness: its key, the keys of the records it watches, and the newest checkpoint of each, kept on disk."""

    def __init__(self, state: Path, logs: list[Key]) -> None:
        self.state, self.logs = state, logs
        self.name, self.private = _read_key(state)
        self.key_id = key_id(self.name, _KIND + self.private.public_key().public_bytes_raw())
        self._lock = threading.Lock()
        self._held = _hold(state)
        self.seen: dict[str, dict[str, Any]] = _read_seen(state)

    def add(self, request: bytes) -> Answer:
        """Answer an add-checkpoint request, its checks in the order that the specification has them."""
        try:
            old, proof, note = _parse(request)
        except (ValueError, Refused) as error:
            return Answer(400, f"{error}\n")
        known = [key for key in self.logs if key.name == note.origin]
        if not known:
            return Answer(404, "this record is not watched here\n")
        try:
            signed = any([key.signed(note) is not None for key in known])
        except Refused:
            signed = False
        if not signed:
            return Answer(403, "no key known here signed it\n")
        if old > note.size:
            return Answer(400, "the old size is beyond the checkpoint's\n")
        with self._lock:
            answer = self._consistent(old, proof, note)
            if answer.status != 200 and (answer.status != 409 or old == note.size or note.size < self._last(note)[0]):
                self._keep(request)
            return answer

    def _last(self, note: Note) -> tuple[int, bytes]:
        last = self.seen.get(note.origin)
        return (last["size"], bytes.fromhex(last["root"])) if last else (0, EMPTY_ROOT)

    def _consistent(self, old: int, proof: list[bytes], note: Note) -> Answer:
        size, root = self._last(note)
        if old != size or (old == note.size and root != note.root):
            return Answer(409, f"{size}\n", "text/x.tlog.size")
        if not verify_consistency(old, note.size, proof, root, note.root):
            return Answer(422, "the proof does not lead from the last checkpoint to this one\n")
        at = int(time.time())
        self.seen[note.origin] = {"size": note.size, "root": note.root.hex(), "at": at}
        write(self.state / "seen.json", json.dumps(self.seen, indent=1))
        message = f"cosignature/v1\ntime {at}\n".encode() + note.text
        raw = self.key_id + at.to_bytes(8) + self.private.sign(message)
        return Answer(200, f"\N{EM DASH} {self.name} {base64.b64encode(raw).decode()}\n")

    def _keep(self, request: bytes) -> None:
        path = self.state / "refused.log"
        if path.exists() and path.stat().st_size > EVIDENCE:
            return
        with path.open("ab") as file:
            file.write(f"# {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}\n".encode() + request + b"\n")


def make_key(state: Path, name: str) -> str:
    """Make the witness's key in `state`, readable by its owner alone, unless there is one; the public half as text."""
    path = state / "witness.key"
    if not path.exists():
        if not name or re.search(r"[\s+]", name):
            raise ValueError("a witness's name has no spaces and no plus sign, such as witness.example/one")
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        write(path, json.dumps({"name": name, "seed": Ed25519PrivateKey.generate().private_bytes_raw().hex()}))
    name, private = _read_key(state)
    public = _KIND + private.public_key().public_bytes_raw()
    return f"{name}+{key_id(name, public).hex()}+{base64.b64encode(public).decode()}"


def reset(state: Path, origin: str, why: str) -> None:
    """Forget the newest checkpoint of a record, so that it may go on from an earlier one; that and why is kept.

    BlockingIOError while a witness serves from this state: it would not notice, and write what it saw over it.
    """
    with _hold(state):
        seen = _read_seen(state)
        last = seen.pop(origin)
        with (state / "resets.log").open("a") as file:
            file.write(json.dumps({"origin": origin, "forgot": last, "why": why, "at": int(time.time())}) + "\n")
        write(state / "seen.json", json.dumps(seen, indent=1))


def serve(witness: Witness, bind: str, port: int) -> ThreadingHTTPServer:
    """An HTTP server for `witness`, bound and not yet serving; port 0 takes a free one."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > LARGEST:
                self.close_connection = True
                return self.answer(Answer(413, f"a request is at most {LARGEST} bytes, and says how long it is\n"))
            request = self.rfile.read(int(length))
            if self.path.rstrip("/").rpartition("/")[2] != "add-checkpoint":
                return self.answer(Answer(404, "POST to add-checkpoint\n"))
            return self.answer(witness.add(request))

        def answer(self, answer: Answer) -> None:
            body = answer.body.encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer((bind, port), Handler)
    server.daemon_threads = True
    return server


def write(path: Path, text: str) -> None:
    """Replace a file whole, for its owner alone, and wait until it is on disk."""
    draft = path.with_name(f"{path.name}.new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _parse(request: bytes) -> tuple[int, list[bytes], Note]:
    head, found, note = request.decode().partition("\n\n")
    first, *lines = head.split("\n")
    old = _OLD.fullmatch(first)
    if not found or old is None or len(lines) > PROOF_LINES:
        raise ValueError("want a line with the old size, at most 63 lines of proof, an empty line and a checkpoint")
    proof = [base64.b64decode(line, validate=True) for line in lines]
    if any(len(node) != 32 for node in proof):
        raise ValueError("a line of the proof is no hash")
    return int(old[1]), proof, Note(note)


def _hold(state: Path) -> TextIO:
    """The lock of whoever uses this state, until it is closed; BlockingIOError while somebody else has it."""
    file = (state / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise
    return file


def _read_key(state: Path) -> tuple[str, Ed25519PrivateKey]:
    doc = json.loads((state / "witness.key").read_text())
    return doc["name"], Ed25519PrivateKey.from_private_bytes(bytes.fromhex(doc["seed"]))


def _read_seen(state: Path) -> dict[str, dict[str, Any]]:
    path = state / "seen.json"
    return json.loads(path.read_text()) if path.exists() else {}


def main() -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m audit.witness", description="Watch records grow, and sign what was seen."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    asked = {name: commands.add_parser(name) for name in ("key", "serve", "reset")}
    for each in asked.values():
        each.add_argument("--state", type=Path, required=True, help="folder of its key and of what it has seen")
    asked["key"].add_argument("--name", required=True, help="such as witness.example/one")
    asked["serve"].add_argument("--log", action="append", required=True, help="a record's key (repeatable)")
    asked["serve"].add_argument("--bind", default="127.0.0.1")
    asked["serve"].add_argument("--port", type=int, default=9470)
    asked["reset"].add_argument("--origin", required=True, help="the record's name, as in its checkpoints")
    asked["reset"].add_argument("--why", required=True)
    given = parser.parse_args()
    try:
        if given.command == "key":
            print(make_key(given.state, given.name))
        elif given.command == "reset":
            reset(given.state, given.origin, given.why)
        else:
            server = serve(Witness(given.state, [Key(vkey) for vkey in given.log]), given.bind, given.port)
            print(f"witnessing on http://{given.bind}:{server.server_port}/", flush=True)
            server.serve_forever()
    except (OSError, ValueError, KeyError, Refused) as error:
        print(f"witness: {error!r}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
