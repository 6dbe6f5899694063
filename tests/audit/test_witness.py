"""The witness as a program of its own, asked over HTTP."""

import base64
import http.client
import subprocess
import sys

import pytest
from django.conf import settings

from audit import checkpoints
from audit.keys import Signer
from audit.merkle import Frontier, leaf_hash
from audit.standalone import Key, Note
from audit.witness import reset

LEAVES = [leaf_hash(b"%d" % n) for n in range(100)]
SIGNER = Signer.make("signalbox/test")


class Running:
    """The program, its key and one connection to it."""

    def __init__(self, state, *logs):
        self.state, self.logs = state, logs
        self.vkey = self.command("key", "--name", "witness.example/one").strip()
        self.start()

    def command(self, *args):
        argv = [sys.executable, "-m", "audit.witness", args[0], "--state", str(self.state), *args[1:]]
        env = {"PATH": "/usr/bin:/bin"}
        return subprocess.run(argv, cwd=settings.BASE_DIR, env=env, check=True, capture_output=True, text=True).stdout

    def start(self):
        logs = [part for log in self.logs for part in ("--log", log)]
        argv = [sys.executable, "-m", "audit.witness", "serve", "--state", str(self.state), "--port", "0", *logs]
        self.child = subprocess.Popen(argv, cwd=settings.BASE_DIR, env={}, stdout=subprocess.PIPE, text=True)
        self.port = int(self.child.stdout.readline().rstrip("/\n").rpartition(":")[2])
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)

    def stop(self):
        self.connection.close()
        self.child.terminate()
        self.child.wait(10)
        self.child.stdout.close()

    def add(self, old, proof, note):
        lines = "".join(f"{base64.b64encode(node).decode()}\n" for node in proof)
        return self.ask(f"old {old}\n{lines}\n{note}")

    def ask(self, body, path="/add-checkpoint"):
        self.connection.request("POST", path, body.encode() if isinstance(body, str) else body)
        answer = self.connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers["Content-Type"]


@pytest.fixture
def witness(tmp_path):
    running = Running(tmp_path / "witness", SIGNER.verifier.vkey)
    yield running
    running.stop()


def note(size, leaves=LEAVES, signer=SIGNER):
    frontier = Frontier()
    frontier.extend(leaves[:size])
    return checkpoints.sign(signer, size, frontier.root())


def proof(old, size, leaves=LEAVES):
    """RFC 6962, section 2.1.2, word for word."""

    def top(some):
        frontier = Frontier()
        frontier.extend(some)
        return frontier.root()

    def sub(m, some, whole):
        if m == len(some):
            return [] if whole else [top(some)]
        k = 1 << (len(some) - 1).bit_length() - 1
        if m <= k:
            return [*sub(m, some[:k], whole), top(some[k:])]
        return [*sub(m - k, some[k:], False), top(some[:k])]

    return sub(old, leaves[:size], True) if 0 < old < size else []


def test_what_continues_is_signed_and_remembered(witness):
    last = 0
    for size in (1, 2, 7, 8, 64, 99, 99):
        status, line, _ = witness.add(last, proof(last, size), note(size))
        assert status == 200, line
        signed = Note(note(size) + line)
        assert Key(witness.vkey).signed(signed) > 1_700_000_000
        assert checkpoints.verify(note(size) + line, [SIGNER.verifier]).size == size
        last = size
    witness.stop()
    witness.start()
    assert witness.add(0, [], note(100))[:2] == (409, "99\n")
    assert witness.add(99, proof(99, 100), note(100))[0] == 200


def test_a_fork_is_refused_and_kept_as_evidence(witness):
    """HOSTILE 15: everything rewritten and signed with the stolen key."""
    assert witness.add(0, [], note(50))[0] == 200
    other = [*LEAVES[:20], leaf_hash(b"forged"), *LEAVES[21:]]
    assert witness.add(50, proof(50, 60, other), note(60, other))[0] == 422
    assert witness.add(50, [], note(50, other))[::2] == (409, "text/x.tlog.size")
    assert witness.add(40, proof(40, 45), note(45))[1] == "50\n"
    assert witness.add(0, [], note(60, other))[:2] == (409, "50\n")
    assert witness.add(50, proof(50, 60), note(60))[0] == 200
    evidence = (witness.state / "refused.log").read_text()
    assert note(60, other) in evidence
    assert note(50, other) in evidence


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 400),
        ("old 0\n", 400),
        ("old 00\n\n" + note(1), 400),
        ("old 2\n\n" + note(1), 400),
        ("old 0\nAAAA\n\n" + note(1), 400),
        ("old 0\n" + "A" * 43 + "=\n\n" + note(1), 422),
        ("old 0\n" + f"{'A' * 43}=\n" * 64 + "\n" + note(1), 400),
        ("old 0\n\n" + note(1, signer=Signer.make("signalbox/other")), 404),
        ("old 0\n\n" + note(1, signer=Signer.make("signalbox/test")), 403),
        ("old 0\n\n" + note(1).replace("\n1\n", "\n2\n"), 403),
        (b"\xff\xfe", 400),
        ("old 0\n\n" + "x" * 70_000, 413),
    ],
)
def test_what_cannot_be_signed_is_refused_as_the_specification_says(witness, body, status):
    assert witness.ask(body)[0] == status


def test_two_witnesses_on_one_state_are_refused(witness):
    argv = [sys.executable, "-m", "audit.witness", "serve", "--state", str(witness.state), "--log", witness.logs[0]]
    done = subprocess.run(argv, cwd=settings.BASE_DIR, env={}, capture_output=True, text=True, timeout=20)
    assert done.returncode == 2


def test_after_a_restore_its_keeper_resets_it_and_that_is_kept(witness):
    assert witness.add(0, [], note(50))[0] == 200
    witness.stop()
    witness.command("reset", "--origin", "signalbox/test", "--why", "restored")
    witness.start()
    assert witness.add(0, [], note(30))[0] == 200
    assert '"why": "restored"' in (witness.state / "resets.log").read_text()


def test_it_is_not_reset_while_it_serves(witness):
    assert witness.add(0, [], note(50))[0] == 200
    with pytest.raises(BlockingIOError):
        reset(witness.state, "signalbox/test", "restored")
    assert witness.add(50, proof(50, 60), note(60))[0] == 200
