"""Ports and socket folders that are free and short enough."""

import hashlib
import os
import socket
import tempfile
from pathlib import Path

SOCKET_PATH_LIMIT = 103
"""Bytes that every kernel takes for the path of a Unix socket (Linux takes 107)."""


def free_port(host: str = "127.0.0.1") -> int:
    """A port nobody listens on just now."""
    with _socket(host) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def is_free(host: str, port: int) -> bool:
    """Whether we could listen on this port (it may be taken, or be kept for root)."""
    with _socket(host) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def socket_folder(wanted: Path, *, name: str, owner: int | None = None) -> Path:
    """A private folder for the socket `name`, belonging to the user `owner` (default: us): the one wanted, or a short
    one in the temporary folder if that is too long for the kernel or holds a comma, which would read as two hosts."""
    owner = os.geteuid() if owner is None else owner
    if len(os.fsencode(wanted / name)) <= SOCKET_PATH_LIMIT and "," not in str(wanted):
        wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _given(wanted, owner)
    mark = hashlib.sha256(os.fsencode(wanted)).hexdigest()[:12]
    for base in (tempfile.gettempdir(), "/tmp"):  # noqa: S108
        short = Path(base) / f"signalbox-{os.geteuid()}-{mark}"
        if len(os.fsencode(short / name)) > SOCKET_PATH_LIMIT:
            continue
        short.mkdir(mode=0o700, exist_ok=True)
        held = short.lstat()
        if held.st_uid in (os.geteuid(), owner) and not held.st_mode & 0o077:
            return _given(short, owner)
        return _given(Path(tempfile.mkdtemp(prefix="signalbox-", dir=base)), owner)
    raise OSError(f"No folder for a socket is short enough: {wanted}")


def _given(folder: Path, owner: int) -> Path:
    if folder.stat().st_uid != owner:
        os.chown(folder, owner, -1)
    return folder


def _socket(host: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
