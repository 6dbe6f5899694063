import itertools
import os

import psycopg
import pytest
from django.db import connection, connections
from psycopg import sql

_NUMBER = itertools.count()


def _connect(name, **options):
    params = connection.get_connection_params()
    wanted = {k: params[k] for k in ("host", "port", "user", "password") if params.get(k)}
    return psycopg.connect(**wanted, dbname=name, autocommit=True, **options)


@pytest.fixture(scope="session")
def template(django_db_setup):
    """Name of a copy of the migrated test database, without connections, to make others from."""
    name = f"sb_template_{os.getpid()}"
    connections.close_all()
    source = connection.settings_dict["NAME"]
    with _connect("postgres") as admin:
        admin.execute(sql.SQL("create database {} template {}").format(*map(sql.Identifier, (name, source))))
        yield name
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def database(template, django_db_blocker):
    """Name of a fresh database with the record's tables, for tests that commit."""
    name = f"sb_fresh_{os.getpid()}_{next(_NUMBER)}"
    with _connect("postgres") as admin:
        admin.execute(sql.SQL("create database {} template {}").format(*map(sql.Identifier, (name, template))))
        yield name
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def connect(database):
    """Opens autocommit connections to the fresh database."""
    opened = []

    def opener():
        opened.append(_connect(database))
        return opened[-1]

    yield opener
    for one in opened:
        one.close()


@pytest.fixture
def fresh(connect):
    """An autocommit connection to a fresh database."""
    return connect()


@pytest.fixture
def var(tmp_path, settings):
    """A folder of its own for keys and checkpoints."""
    settings.VAR = tmp_path
    return tmp_path
