"""HOSTILE 27: eleven wrong tries block on every path; no secret in a log, the record, a task or Redis; no warning."""

import re
import subprocess
import sys
import threading
from base64 import urlsafe_b64decode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import unquote

import pytest
import requests
from django.conf import settings
from django.db import connections
from django.test import Client
from django.utils import timezone

from console import second_step
from console.api import tokens
from tests.conftest import PASSWORD
from tests.running import ROOT, environment, until
from tests.signing_in import code_of, fresh, recovery_codes, set_up_app, sign_in, stale

TRIES = 11
WRONG = "not the right one"
NEW = "a quite different secret"
FIELD = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
SHAPES = re.compile(r"sb_[0-9a-f]{8}_[\w-]{43}|<pre[^>]*>([A-Z2-7 ]{32,})</pre>|\b(\d{4} \d{4})\b")
LINK = re.compile(r"(/password/reset/\w+)/(\w+-\w+)")


class Path:
    """One way of showing who one is: `wrong()` and `right()` post it and give the status."""

    def __init__(self, wrong: Callable[[], int], right: Callable[[], int], let_in: set[int]) -> None:
        self.wrong, self.right, self.let_in = wrong, right, let_in


def _password(person) -> Path:
    return Path(
        lambda: sign_in(Client(), person, WRONG).status_code, lambda: sign_in(Client(), person).status_code, {302}
    )


def _code(person, right: Callable[[], str], wrong: str = "000000") -> Path:
    def post(code: str, address: str) -> int:
        client = Client(REMOTE_ADDR=address)
        sign_in(client, person)
        return client.post("/sign-in/code", {"code": code}).status_code

    turns = iter(range(1, 250))
    return Path(lambda: post(wrong, f"192.0.2.{next(turns)}"), lambda: post(right(), "198.51.100.1"), {302})


def _confirm(person, field: str, right: Callable[[], str]) -> Path:
    client = stale(Client(), person)
    return Path(
        lambda: client.post("/confirm", {field: WRONG[:16]}).status_code,
        lambda: client.post("/confirm", {field: right()}).status_code,
        {303},
    )


def _change(person) -> Path:
    client = Client()
    client.force_login(person)

    def post(old: str) -> int:
        return client.post("/password", {"old_password": old, "new_password1": NEW, "new_password2": NEW}).status_code

    return Path(lambda: post(WRONG), lambda: post(PASSWORD), {302})


def _token(person) -> Path:
    expires = timezone.now() + timedelta(days=1)
    _, text = tokens.make(person, name="CI", verbs=["see"], expires_at=expires, actor=person.actor)

    def get(sent: str) -> int:
        return Client().get("/api/v1/me", headers={"Authorization": f"Bearer {sent}"}).status_code

    return Path(lambda: get(text[:12] + "A" * 43), lambda: get(text), {200})


@pytest.fixture
def paths(alice) -> dict[str, Callable[[], Path]]:
    client = fresh(Client(), alice)
    secret = set_up_app(client)
    codes = iter(recovery_codes(client))
    return {
        "password": lambda: _password(alice),
        "app code": lambda: _code(alice, lambda: code_of(secret)),
        "recovery code": lambda: _code(alice, lambda: next(codes), "0000 0000"),
        "confirm by password": lambda: _confirm(alice, "password", lambda: PASSWORD),
        "confirm by code": lambda: _confirm(alice, "code", lambda: next(codes)),
        "change of password": lambda: _change(alice),
        "API token": lambda: _token(alice),
    }


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name",
    [
        "password", "app code", "recovery code", "confirm by password", "confirm by code", "change of password",
        "API token",
    ],
)  # fmt: skip
def test_eleven_wrong_tries_block_even_what_is_right(paths, name):
    path = paths[name]()
    seen = [path.wrong() for _ in range(TRIES)]
    assert not set(seen) & path.let_in, seen
    assert seen[-1] == 429, seen
    assert path.right() == 429, "the right one, too late"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name",
    [
        "password", "app code", "recovery code", "confirm by password", "confirm by code", "change of password",
        "API token",
    ],
)  # fmt: skip
def test_a_few_wrong_tries_block_nothing(paths, name):
    path = paths[name]()
    for _ in range(4):
        path.wrong()
    assert path.right() in path.let_in


@pytest.mark.parametrize("kind", ["app", "recovery"])
def test_a_code_tried_twenty_times_at_once_is_right_once(workspace, person, kind):
    ada = person("Ada", role="admin")
    client = fresh(Client(), ada)
    secret = set_up_app(client)
    code = code_of(secret) if kind == "app" else recovery_codes(client)[0]

    def once(_: int) -> bool:
        try:
            return second_step.check_code(ada, code) is not None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(20) as threads:
        assert sum(threads.map(once, range(20))) == 1


def test_no_secret_stands_in_a_log_the_record_a_task_or_redis(workspace, worker, live_web, person):
    """A person does all that has a secret in it, rightly and wrongly; then every trace is searched for each secret."""
    ada = person("Ada", role="admin")
    worker = worker(concurrency=1)
    with listening(workspace) as heard:
        browser = Browser(live_web.url)
        secrets = browser.everything(ada)
        until(lambda: "GET" in heard or len(heard) > 20, seconds=60, what="Redis was used")
    with workspace.connect() as database:
        bodies = database.execute("SELECT string_agg(convert_from(body, 'UTF8'), chr(10)) FROM audit_entry").fetchone()[
            0
        ]
        tables = [row[0] for row in database.execute(
            "SELECT format('%I', relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        )]  # fmt: skip
        rows = "\n".join(
            database.execute(f"SELECT coalesce(string_agg(t::text, chr(10)), '') FROM {table} t").fetchone()[0]
            for table in tables
        )
    keyspace = workspace.redis()
    kept = b"\n".join(keyspace.dump(key) or b"" for key in keyspace.scan_iter()).decode(errors="replace")
    traces = {
        "the web server's log": live_web.output(),
        "the worker's log": worker.output(),
        "the record": bodies,
        "what Redis was told, tasks with their arguments": "\n".join(heard),
        "what Redis keeps": kept,
    }
    assert len(secrets) > 15
    assert "person.step_added" in bodies
    found = [
        f"{what} in {where}" for where, text in traces.items() for what, one in secrets.items() if one in unquote(text)
    ]
    sealed = {what: one for what, one in secrets.items() if not what.startswith(("a session", "a CSRF"))}
    found += [f"{what} in the database in the clear" for what, one in sealed.items() if one in rows]
    assert found == []


class listening:
    """Hear every command that Redis is given."""

    def __init__(self, workspace) -> None:
        self.redis, self.heard, self.stop = workspace.redis(), [], threading.Event()

    def __enter__(self) -> list[str]:
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()
        return self.heard

    def _listen(self) -> None:
        with self.redis.monitor() as monitor:
            for command in monitor.listen():
                self.heard.append(command["command"])
                if self.stop.is_set():
                    return

    def __exit__(self, *args: object) -> None:
        self.stop.set()
        self.redis.ping()
        self.thread.join(10)


class Browser:
    """A person's browser, and every secret that passes through it."""

    def __init__(self, url: str) -> None:
        self.url, self.session = url, requests.Session()
        self.secrets: dict[str, str] = {}

    def post(self, path: str, given: dict[str, str], *, page: str = "") -> requests.Response:
        form = self.session.get(self.url + (page or path)).text
        token = FIELD.search(form)
        assert token, (path, form[:500])
        self.note(f"a CSRF token of {path}", token[1])
        answer = self.session.post(self.url + path, data={**given, "csrfmiddlewaretoken": token[1]})
        self.note(f"a session after {path}", self.session.cookies.get("signalbox", ""))
        return answer

    def note(self, what: str, secret: str) -> None:
        if secret:
            self.secrets[what] = secret

    def everything(self, person) -> dict[str, str]:
        self.secrets |= {"the password": PASSWORD, "a wrong password": WRONG, "a new password": NEW}
        self.post("/sign-in", {"username": person.email, "password": WRONG})
        self.post("/sign-in", {"username": person.email, "password": PASSWORD})
        shown = SHAPES.search(self.session.get(f"{self.url}/settings/sign-in/app").text)
        secret = shown[1].replace(" ", "")
        self.note("the app's secret", secret)
        # The page makes a new secret each time it is opened, so the form is sent from the one that was shown.
        token = self.session.cookies["signalbox_csrf"]
        code = code_of(secret, steps=-1)
        answer = self.session.post(
            f"{self.url}/settings/sign-in/app", data={"code": code, "csrfmiddlewaretoken": token}
        )
        codes = [found[2] for found in SHAPES.finditer(answer.text) if found[2]]
        assert len(codes) == 10
        for number, one in enumerate(codes):
            self.note(f"recovery code {number}", one.replace(" ", ""))
        self.post("/password", {"old_password": WRONG, "new_password1": NEW, "new_password2": NEW})
        made = self.post("/settings/tokens/new", {"name": "CI", "verbs": "see", "days": "7"})
        text = next(found[0] for found in SHAPES.finditer(made.text) if found[0].startswith("sb_"))
        self.note("the API token", text[12:])
        for sent in (text, text[:-1] + "x"):
            requests.get(f"{self.url}/api/v1/me", headers={"Authorization": f"Bearer {sent}"}, timeout=10)
        given = {"name": "Ned", "email": "ned@example.com", "role": "rep", "time_zone": "UTC", "everywhere": "on"}
        link = LINK.search(self.post("/people/new", given).text)
        self.note("the invitation", link[2])
        assert requests.get(f"{self.url}{link[1]}/{link[2]}", timeout=10).status_code == 200
        self.post("/password", {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW})
        self.session.cookies.clear()
        self.post("/password/reset", {"email": person.email})
        self.post("/sign-in", {"username": person.email, "password": NEW})
        self.post("/sign-in/code", {"code": "00000000"})
        answer = self.post("/sign-in/code", {"code": codes[0]})
        assert answer.status_code == 200
        assert not answer.url.endswith("/sign-in/code"), answer.url
        for name in ("SECRET_KEY", "DATABASE_OWNER_URL"):
            self.note(name, getattr(settings, name))
        for number, key in enumerate(settings.ENCRYPTION_KEYS):
            assert len(urlsafe_b64decode(key)) == 32
            self.note(f"encryption key {number}", key)
        return self.secrets


@pytest.fixture
def secure(tmp_path) -> dict[str, str]:
    """The environment of a deployment behind TLS."""
    tls = {"SIGNALBOX_BASE_URL": "https://signalbox.example.com", "SIGNALBOX_TRUSTED_PROXIES": "127.0.0.1"}
    return environment(SIGNALBOX_VAR=str(tmp_path), **tls)


def test_a_deployment_has_nothing_to_warn_of(secure):
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, cwd=ROOT, env=secure, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "no issues (0 silenced)" in done.stdout
