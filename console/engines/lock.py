"""One Signalbox a data folder."""

import fcntl
import json
import os
from pathlib import Path


class AlreadyRunning(Exception):
    """Another Signalbox holds the folder; `address` is where it answers, if it said so yet."""

    def __init__(self, pid: int | None, address: str) -> None:
        self.pid, self.address = pid, address
        where = f" at {address}" if address else ""
        super().__init__(f"Signalbox is already running{where}" + (f" (process {pid})" if pid else "") + ".")


class FolderLock:
    """Held until `release` or the end of the process, however it ends; no stale lock is possible."""

    def __init__(self, path: Path) -> None:
        """Take the lock, or raise AlreadyRunning."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyRunning(*self._holder()) from None
        self.say("")

    def say(self, address: str) -> None:
        """Tell those who come later where we answer."""
        os.ftruncate(self.handle, 0)
        os.pwrite(self.handle, json.dumps({"pid": os.getpid(), "address": address}).encode(), 0)

    def release(self) -> None:
        os.close(self.handle)

    def _holder(self) -> tuple[int | None, str]:
        try:
            said = json.loads(os.pread(self.handle, 4096, 0))
            return said["pid"], said["address"]
        except (ValueError, KeyError):
            return None, ""
        finally:
            os.close(self.handle)
