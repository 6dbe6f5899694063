"""The supervisor behind `manage.py up`: starts everything in order, keeps it running, stops it in order.

Children die with it, even by kill -9 (see `process`). What ends by itself is started again, later each time.
"""

import ctypes
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from console import env as environment
from console.engines import lock, ports, process
from console.engines.postgres import APP, OWNER, EngineFault, Postgres
from console.engines.screen import Screen
from console.engines.services import services
from console.engines.valkey import Valkey, fault

BACK_OFF = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before a program that ended is started again; engines never wait longer than ENGINE_BACK_OFF."""
ENGINE_BACK_OFF = 1.0
STEADY = 30.0
"""Seconds after which a program counts as running well, and its next end as the first."""
DAY = 24 * 3600.0
LOG_LIMIT = 50 * 1024 * 1024
NOBODY = "Nobody can sign in yet. Make the first admin:  .venv/bin/python manage.py admin you@example.com"


class Stopped(Exception):
    """Someone asked to stop while we were still starting."""


class StartFault(Exception):
    """Signalbox cannot start; the message says what a person can do."""


@dataclass
class Kept:
    """A program that is to be running, and how it has fared."""

    program: process.Program
    child: subprocess.Popen[bytes]
    longest_wait: float
    since: float = field(default_factory=time.monotonic)
    failures: int = 0
    again_at: float | None = None


class Supervisor:
    """One run of Signalbox, from start to stop."""

    def __init__(self, settings: environment.Env, screen: Screen) -> None:
        self.env, self.screen, self.var = settings, screen, settings.var
        self.kept: dict[str, Kept] = {}
        self.stop_order: list[list[str]] = []
        self.asked = 0
        self.address = ""
        self.port = settings.port
        self.addresses: dict[str, str] = {}
        self.pids = self.var / "run" / "children.json"
        self.engines_file = self.var / "run" / "engines.json"

    def run(self) -> int:
        """Start, serve until a signal, stop; the exit status is 0 after an ordinary stop."""
        held = lock.FolderLock(self.var / "run" / "lock")
        self._listen_for_signals()
        try:
            self._start(held)
            self._serve()
        except Stopped:
            pass
        finally:
            self._stop()
            held.release()
        return 0

    def _start(self, held: lock.FolderLock) -> None:
        begun = time.monotonic()
        ended = process.leftovers(self.pids)
        if ended:
            self.screen.say(f"Ended what an earlier start had left running: {', '.join(ended)}.")
        self.engines_file.unlink(missing_ok=True)
        self._start_engines()
        with self.screen.step("Database and pages") as step:
            report = self._prepare()
            step.note = _prepared(report)
        self.port = self._choose_port()
        children = self._child_env()
        if self.env.demo and not report["people"]:
            with self.screen.step("Demo workspace"):
                self._keep_sign_ins(self._once("demo", "manage.py", "demo"))
            report = report | {"people": 1, "demo": True}
        with self.screen.step("Web server, workers, beat, sealer"):
            groups = services(
                root=environment.BASE_DIR,
                var=self.var,
                env=children,
                workers=self.env.workers,
                demo=self.env.demo and report["demo"],
            )
            self.stop_order = [[program.name for program in group] for group in groups] + self.stop_order
            for program in [program for group in groups for program in group]:
                self._keep(program)
            self._await_answer()
        self.address = self.env.base_url or self._local_address()
        held.say(self.address)
        sign_ins = self._sign_ins() if report["people"] else NOBODY
        self.screen.welcome(self.address, sign_ins, time.monotonic() - begun)

    def _start_engines(self) -> None:
        secrets = environment.keep_secrets(self.var)
        if not secrets:
            raise StartFault(f"{self.var} cannot be written. Change its owner, or set SIGNALBOX_VAR.")
        if "DATABASE_URL" in self.env.given:
            self.addresses["DATABASE_URL"] = self.env.database_url
            self.addresses["DATABASE_OWNER_URL"] = self.env.database_owner_url
        else:
            with self.screen.step("PostgreSQL") as step:
                postgres = Postgres(self.var, secrets["POSTGRES_PASSWORD"])
                step.note = postgres.binaries.version
                postgres.prepare()
                self._start_engine(postgres)
                postgres.furnish()
            self.addresses["DATABASE_URL"] = postgres.url(APP)
            self.addresses["DATABASE_OWNER_URL"] = postgres.url(OWNER)
        if "REDIS_URL" in self.env.given:
            self.addresses["REDIS_URL"] = self.env.redis_url
            if why := fault(self.env.redis_url):
                raise StartFault(f"REDIS_URL does not answer ({why}). Start that server, or unset it for the embedded.")
        else:
            with self.screen.step("Redis (Valkey)") as step:
                valkey = Valkey(self.var, secrets["REDIS_PASSWORD"])
                step.note = valkey.version
                valkey.prepare()
                self._start_engine(valkey)
            self.addresses["REDIS_URL"] = valkey.url
        self.engines_file.touch(mode=0o600)
        self.engines_file.write_text(json.dumps(self.addresses))

    def _start_engine(self, engine: Postgres | Valkey) -> None:
        self.stop_order.insert(0, [engine.name])
        kept = self._keep(engine.program(), longest_wait=ENGINE_BACK_OFF)
        end = time.monotonic() + 120
        while not engine.ready():
            self._check_asked()
            if kept.child.poll() is not None or time.monotonic() > end:
                raise StartFault(f"{engine.name} did not start:\n{_tail(kept.program.log)}")
            time.sleep(0.02)

    def _prepare(self) -> dict[str, Any]:
        said = self._once("prepare", "manage.py", "prepare", DATABASE_OWNER_URL=self.addresses["DATABASE_OWNER_URL"])
        report: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
        return report

    def _once(self, name: str, *argv: str, **extra: str) -> str:
        """Run a command to its end and return what it printed; raise StartFault with its complaint if it fails."""
        log = self.var / "log" / f"{name}.log"
        log.unlink(missing_ok=True)
        program = process.Program(
            name, [sys.executable, *argv], log, environment.BASE_DIR, self._child_env() | extra, grace=3
        )
        child = process.spawn(program)
        try:
            while child.poll() is None:
                self._check_asked()
                time.sleep(0.02)
        finally:
            process.end([(program, child)], said=self.screen.say)
        said = log.read_text(errors="replace")
        if child.returncode:
            raise StartFault(f"{' '.join(argv)} failed:\n{said.strip()[-3000:]}")
        log.unlink()
        return said

    def _child_env(self) -> dict[str, str]:
        addresses = {name: url for name, url in self.addresses.items() if name != "DATABASE_OWNER_URL"}
        inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_OWNER_URL"}
        return {
            **inherited,
            **addresses,
            "SIGNALBOX_VAR": str(self.var),
            "PORT": str(self.port),
            "PYTHONUNBUFFERED": "1",
        }

    def _keep(self, program: process.Program, *, longest_wait: float = BACK_OFF[-1]) -> Kept:
        kept = Kept(program, process.spawn(program), longest_wait)
        self.kept[program.name] = kept
        self._note_pids()
        return kept

    def _note_pids(self) -> None:
        process.remember(self.pids, {name: kept.child.pid for name, kept in self.kept.items()})

    def _choose_port(self) -> int:
        wanted, bind = self.env.port, self.env.bind
        for port in range(wanted, min(wanted + 20, 65536)):
            if ports.is_free(bind, port):
                break
        else:
            port = ports.free_port(bind)
        if port != wanted:
            self.screen.say(f"Port {wanted} is taken; using {port}.")
        return port

    def _local_host(self) -> str:
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.env.bind, self.env.bind)  # noqa: S104

    def _local_address(self) -> str:
        host = self._local_host()
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def _await_answer(self) -> None:
        end = time.monotonic() + 120
        web = self.kept["web"]
        while not _answers(self._local_host(), self.port):
            self._check_asked()
            self._tend()
            if web.failures > 2 or time.monotonic() > end:
                raise StartFault(f"The web server does not answer:\n{_tail(web.program.log)}")
            time.sleep(0.05)

    def _keep_sign_ins(self, said: str) -> None:
        path = self.var / "sign-ins.txt"
        path.touch(mode=0o600)
        path.write_text(said)

    def _sign_ins(self) -> str:
        path = self.var / "sign-ins.txt"
        return path.read_text() if path.exists() else ""

    def _serve(self) -> None:
        chores_at = time.monotonic() + DAY
        trimmed_at = time.monotonic()
        while not self.asked:
            self._tend()
            now = time.monotonic()
            if now > trimmed_at + 600:
                trimmed_at = now
                self._trim_logs()
            if now > chores_at:
                chores_at = now + DAY
                try:
                    self._prepare()
                except StartFault as fault:
                    self.screen.say(str(fault))
            time.sleep(0.2)

    def _tend(self) -> None:
        now = time.monotonic()
        for name, kept in self.kept.items():
            if kept.again_at is None:
                if kept.child.poll() is None:
                    continue
                process.kill_group(kept.child)
                kept.failures = 0 if now - kept.since > STEADY else kept.failures
                wait = min(BACK_OFF[min(kept.failures, len(BACK_OFF) - 1)], kept.longest_wait)
                kept.failures += 1
                kept.again_at = now + wait
                how = _how(kept.child.returncode)
                self.screen.say(f"{name} ended ({how}); starting it again in {wait:g} s. See {kept.program.log}")
            elif now >= kept.again_at:
                kept.again_at, kept.since = None, now
                kept.child = process.spawn(kept.program)
                self._note_pids()

    def _trim_logs(self) -> None:
        for log in (self.var / "log").glob("*.log"):
            if log.stat().st_size > LOG_LIMIT:
                shutil.copyfile(log, log.with_suffix(".log.1"))
                os.truncate(log, 0)

    def _stop(self) -> None:
        if not self.kept:
            return
        self.screen.say("Stopping …")
        for group in self.stop_order:
            children = [(self.kept[name].program, self.kept[name].child) for name in group if name in self.kept]
            process.end(children, said=self.screen.say)
        self.engines_file.unlink(missing_ok=True)
        self.pids.unlink(missing_ok=True)
        self.screen.say("Stopped.")

    def _listen_for_signals(self) -> None:
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGTERM, self._on_signal)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.asked += 1
        if self.asked > 1:
            for name, kept in self.kept.items():
                if name not in (Postgres.name, Valkey.name):
                    process.kill_group(kept.child)

    def _check_asked(self) -> None:
        if self.asked:
            raise Stopped


def main() -> int:
    """Run the supervisor in this process and explain in words whatever keeps it from starting."""
    _die_with_make()
    settings = environment.read()
    for problem in settings.problems:
        print(f"signalbox.E{problem.number:03}  {problem.message}\n                {problem.hint}", file=sys.stderr)
    if settings.problems:
        return 1
    try:
        screen = Screen(settings.var / "log" / "up.log")
        print("Signalbox", flush=True)
        return Supervisor(settings, screen).run()
    except (lock.AlreadyRunning, EngineFault, StartFault) as fault:
        print(fault, file=sys.stderr)
    except OSError as fault:
        print(f"{settings.var} cannot be used: {fault}. Change its owner, or set SIGNALBOX_VAR.", file=sys.stderr)
    return 1


def _die_with_make() -> None:
    if sys.platform == "linux" and os.environ.get("MAKELEVEL"):
        ctypes.CDLL(None).prctl(process.PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def _prepared(report: dict[str, Any]) -> str:
    done = []
    if report["migrations"]:
        done.append(f"{report['migrations']} migrations")
    if report["collected"]:
        done.append(f"{report['collected']} static files")
    return ", ".join(done)


def _answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/health/live")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _how(status: int | None) -> str:
    if status is not None and status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"status {status}"


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:] if log.exists() else "(no log)"
