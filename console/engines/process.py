"""Children that never outlive their parent, and their ordered stop.

On Linux the kernel sends each child its stop signal when the parent dies, even by kill -9 (`PR_SET_PDEATHSIG`).
Elsewhere `leftovers` ends what an earlier parent left behind when the next one starts.
"""

import contextlib
import ctypes
import json
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Identity:
    """Who a child is to be. `namespace`: inside a user namespace of its own, where our user appears as `uid`, so
    that files stay ours; else it becomes `uid` for good. `uid` None changes nothing."""

    uid: int | None = None
    gid: int | None = None
    namespace: bool = False


@dataclass
class Program:
    """How to run one child: its command, which signal ends it, and how many seconds it may take over that."""

    name: str
    argv: Sequence[str | Path]
    log: Path
    cwd: Path
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0
    identity: Identity = Identity()


def spawn(program: Program) -> subprocess.Popen[bytes]:
    """Start the program in a session of its own, its output appended to its log (0600)."""
    program.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    output = os.open(program.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        return subprocess.Popen(
            [str(part) for part in program.argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=program.cwd,
            env=dict(program.env),
            start_new_session=True,
            preexec_fn=become(program.identity, dies_with_parent=program.stop_signal),
        )
    finally:
        os.close(output)


def become(identity: Identity, *, dies_with_parent: signal.Signals) -> Callable[[], None]:
    """What to run in a child before its program: take on the identity, then tie its life to ours."""
    parent = os.getpid()

    def prepare() -> None:
        if identity.uid is not None and identity.namespace:
            _own_namespace(identity.uid, identity.gid or identity.uid)
        elif identity.uid is not None:
            os.setgroups([])
            os.setgid(identity.gid or identity.uid)
            os.setuid(identity.uid)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, int(dies_with_parent), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(98)

    return prepare


def _own_namespace(uid: int, gid: int) -> None:
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    if _libc is None or _libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError("no user namespace")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {outer_uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {outer_gid} 1")


def unprivileged() -> Identity:
    """Who runs a program that refuses root: ourselves unless we are root, else nobody.

    As root a user namespace is tried first, since it needs no change of owners and works beneath private folders.
    """
    if os.geteuid() != 0:
        return Identity()
    nobody = pwd.getpwnam("nobody")
    candidate = Identity(nobody.pw_uid, nobody.pw_gid, namespace=True)
    if sys.platform == "linux":
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            probe = become(candidate, dies_with_parent=signal.SIGKILL)
            subprocess.run(["/bin/sh", "-c", "exit 0"], check=True, preexec_fn=probe)
            return candidate
    return Identity(nobody.pw_uid, nobody.pw_gid)


def end(children: Iterable[tuple[Program, subprocess.Popen[bytes]]], *, said: Callable[[str], None]) -> None:
    """End these together, each by its own signal; what outlasts its grace is killed with all it started."""
    running = [(program, child) for program, child in children if child.poll() is None]
    begun = time.monotonic()
    for program, child in running:
        child.send_signal(program.stop_signal)
    for program, child in running:
        try:
            child.wait(max(0.05, begun + program.grace - time.monotonic()))
        except subprocess.TimeoutExpired:
            said(f"{program.name} did not stop within {program.grace:.0f} s and was killed")
            kill_group(child)
            child.wait()


def kill_group(child: subprocess.Popen[bytes]) -> None:
    """Kill the child's whole session, which also ends what it started and left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def started_at(pid: int) -> str | None:
    """A mark that tells this process from a later one with the same number; None if there is no such process."""
    if sys.platform == "linux":
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] == "Z" else fields[19]
    shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S607
    return shown.stdout.strip() or None


def remember(path: Path, pids: Mapping[str, int]) -> None:
    """Write down who our children are, for `leftovers`."""
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps({name: [pid, started_at(pid)] for name, pid in pids.items()}))
    draft.replace(path)


def leftovers(path: Path, *, patience: float = 15.0) -> list[str]:
    """End what `remember` wrote down and still lives, waiting `patience` seconds before killing; return the names."""
    try:
        noted = json.loads(path.read_text())
    except (OSError, ValueError):
        return []
    alive = {name: (pid, mark) for name, (pid, mark) in noted.items() if mark and started_at(pid) == mark}
    for name, (pid, _) in alive.items():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT if name == "postgres" else signal.SIGTERM)
    until = time.monotonic() + patience
    waiting = dict(alive)
    while waiting and time.monotonic() < until:
        waiting = {name: each for name, each in waiting.items() if started_at(each[0]) == each[1]}
        time.sleep(0.05)
    for pid, _ in waiting.values():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    path.unlink(missing_ok=True)
    return sorted(alive)
