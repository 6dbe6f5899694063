import psycopg
import pytest
from django.db import connection
from hypothesis import settings as hypothesis_settings

from tests.audit.ageing import Record

hypothesis_settings.register_profile("audit", deadline=None)
hypothesis_settings.load_profile("audit")


def pytest_collection_modifyitems(items):
    """Have the shared test database made for the tests that use it by `conn` alone, too."""
    for item in items:
        if "conn" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.django_db)


@pytest.fixture
def connect(workspace):
    """Opens autocommit connections to a database of the test's own, where commits are real."""
    opened = []

    def opener():
        opened.append(workspace.connect())
        return opened[-1]

    yield opener
    for one in opened:
        one.close()


@pytest.fixture
def fresh(connect):
    """An autocommit connection to a database of the test's own."""
    return connect()


@pytest.fixture
def var(tmp_path, settings):
    """A folder of its own for keys and checkpoints."""
    settings.VAR = tmp_path
    return tmp_path


@pytest.fixture
def record(fresh, var, monkeypatch):
    """A record with a month that is over."""
    return Record(fresh, monkeypatch)


@pytest.fixture
def folder(tmp_path):
    """Where archives go; not made yet."""
    return tmp_path / "archive"


@pytest.fixture
def conn(django_db_setup, django_db_blocker):
    """A plain connection to the shared test database, within a transaction that is rolled back in the end."""
    with django_db_blocker.unblock():
        params = connection.get_connection_params()
    wanted = ("dbname", "host", "port", "user", "password")
    given = {k: params[k] for k in wanted if params.get(k)}
    with psycopg.connect(**given, autocommit=True) as one, one.transaction(force_rollback=True):
        yield one
