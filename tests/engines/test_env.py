import json

import pytest

from console import env


def read(tmp_path, **given):
    return env.read({"SIGNALBOX_VAR": str(tmp_path / "var"), **given})


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        ("PORT", "http", 1),
        ("PORT", "70000", 1),
        ("SIGNALBOX_BIND", "everywhere", 2),
        ("SIGNALBOX_BASE_URL", "signalbox.example.com", 3),
        ("SIGNALBOX_BASE_URL", "http://[::1", 3),
        ("SIGNALBOX_TRUSTED_PROXIES", "10.0.0.0/8,proxy", 4),
        ("DATABASE_URL", "mysql://host/name", 5),
        ("DATABASE_URL", "postgresql://host", 5),
        ("DATABASE_OWNER_URL", "postgresql://host:port/name", 6),
        ("REDIS_URL", "memcached://host", 7),
        ("SIGNALBOX_SECRET_KEY", "short", 8),
        ("SIGNALBOX_ENCRYPTION_KEYS", "not base64", 9),
        ("SIGNALBOX_IDENTITY_KEY", "short", 10),
        ("SIGNALBOX_WORKERS", "0", 12),
        ("SIGNALBOX_WEB_THREADS", "many", 22),
        ("SIGNALBOX_DEMO", "yes", 13),
        ("SIGNALBOX_SMTP_URL", "mail.example.com", 14),
        ("SIGNALBOX_MAIL_FROM", "nobody", 15),
        ("SIGNALBOX_LOG_LEVEL", "LOUD", 18),
        ("SIGNALBOX_BASE_URL", "https://signalbox.example.com", 20),
        ("SIGNALBOX_BIND", "0.0.0.0", 21),
        ("SIGNALBOX_CHECKPOINTS_TO", "PUT s3://bucket", 50),
        ("SIGNALBOX_CHECKPOINTS_TO", "PUT s3://key:secret@bucket/{size}", 50),
        ("SIGNALBOX_CHECKPOINTS_TO", "POST s3://bucket/{size}", 50),
        ("SIGNALBOX_CHECKPOINTS_TO", "PUT s3://bucket/a#{size}", 50),
        ("SIGNALBOX_CHECKPOINTS_TO", "WITNESS https://witness.example.com", 51),
    ],
)
def test_a_wrong_value_is_named_by_number_with_a_hint_and_never_shown_if_secret(tmp_path, name, value, number):
    problems = read(tmp_path, **{name: value}).problems
    assert [problem.number for problem in problems] == [number]
    assert name in problems[0].message
    assert problems[0].hint
    if name.endswith(("_KEY", "_KEYS", "_URL")) and number != 20:
        assert value not in problems[0].message


def test_checkpoints_go_wherever_is_named(tmp_path):
    named = ("PUT https://store/{size}.txt", "PUT s3://bucket/check.points/{size}.txt", "POST http://collector/in?a=b")
    found = read(tmp_path, SIGNALBOX_CHECKPOINTS_TO=", ".join(named))
    assert (found.problems, found.checkpoint_outlets) == ((), named)


def test_nothing_given_is_right_and_makes_secrets_once(tmp_path):
    first, second = read(tmp_path), read(tmp_path)
    assert first.problems == ()
    assert (first.secret_key, first.encryption_keys) == (second.secret_key, second.encryption_keys)
    assert (tmp_path / "var" / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_a_running_signalbox_is_found_unless_the_environment_names_another(tmp_path):
    run = tmp_path / "var" / "run"
    run.mkdir(parents=True)
    kept = {"DATABASE_URL": "postgresql://app@/kept?host=/run", "DATABASE_OWNER_URL": "postgresql://owner@/kept"}
    (run / "engines.json").write_text(json.dumps({**kept, "REDIS_URL": "redis://127.0.0.1:1/0"}))
    found = read(tmp_path)
    assert (found.database_url, found.database_owner_url) == tuple(kept.values())
    given = read(tmp_path, DATABASE_URL="postgresql://me@host/mine")
    assert (given.database_url, given.database_owner_url) == ("postgresql://me@host/mine", "")
    assert given.redis_url == "redis://127.0.0.1:1/0"


def test_a_database_url_keeps_its_quoted_parts():
    database = env.django_database("postgresql://a%40b:p%2Fw@/name?host=%2Ftmp%2Fa%20b&sslmode=require", pool=4)
    assert database["USER"] == "a@b"
    assert database["PASSWORD"] == "p/w"
    assert database["HOST"] == "/tmp/a b"
    assert database["OPTIONS"]["sslmode"] == "require"
    assert (database["CONN_MAX_AGE"], database["OPTIONS"]["pool"]["max_size"]) == (0, 4)
