import os
import pwd

import psycopg
import pytest

from console.engines import process
from console.engines.postgres import APP, OWNER, SUPERUSER, EngineFault, Postgres
from tests.running import until

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def nobody():
    entry = pwd.getpwnam("nobody")
    return process.Identity(entry.pw_uid, entry.pw_gid)


@pytest.fixture
def folder(tmp_path_factory):
    """A data folder that every user may walk through."""
    base = tmp_path_factory.getbasetemp()
    for part in [base, *base.parents]:
        if "pytest-of-" in str(part):
            part.chmod(0o711)
    made = tmp_path_factory.mktemp("engine")
    made.chmod(0o711)
    return made


def serve(postgres: Postgres) -> None:
    """Start, furnish and stop it."""
    program = postgres.program()
    child = process.spawn(program)
    try:
        until(lambda: child.poll() is not None or postgres.ready(), seconds=30, what="postgres ready")
        assert child.poll() is None, postgres.log.read_text()
        postgres.furnish()
        with psycopg.connect(postgres.url(APP)) as connection:
            assert connection.execute("SELECT current_user, current_database()").fetchone() == (APP, "signalbox")
    finally:
        process.end([(program, child)], said=print)


def test_each_role_has_a_password_of_its_own(folder):
    postgres = Postgres(folder, "secret")
    assert len({postgres.url(role).split("@")[0].rsplit(":", 1)[1] for role in (SUPERUSER, OWNER, APP)}) == 3


@ROOT_ONLY
def test_where_namespaces_are_denied_root_becomes_nobody_and_takes_its_data_along(folder, nobody):
    mine = Postgres(folder, "secret")
    assert mine.identity.namespace
    assert mine.prepare()
    serve(mine)
    theirs = Postgres(folder, "secret", identity=nobody)
    assert not theirs.prepare()
    serve(theirs)
    assert (folder / "postgres" / "PG_VERSION").stat().st_uid == nobody.uid
    serve(Postgres(folder, "secret"))


@ROOT_ONLY
def test_under_a_private_folder_nobody_is_told_what_to_do(folder, nobody):
    folder.chmod(0o700)
    with pytest.raises(EngineFault, match="ordinary user"):
        Postgres(folder / "var", "secret", identity=nobody).prepare()


def test_data_of_another_major_version_is_not_touched(folder):
    (folder / "postgres").mkdir()
    (folder / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(EngineFault, match="written by PostgreSQL 9"):
        Postgres(folder, "secret")
