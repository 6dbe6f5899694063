"""A record to search, in the shared test database."""

from django.db import connection

from audit import keys
from audit.entries import Line, append
from audit.indexing import index
from audit.seal import load_frontier, seal_batch
from audit.search import Filters, look


def write(*lines):
    with connection.cursor() as cursor:
        return append(cursor, lines)


def seal():
    connection.ensure_connection()
    raw = connection.connection
    frontier, signer = load_frontier(raw), keys.signer(raw)
    while seal_batch(raw, frontier, signer)[0]:
        pass


def index_all():
    with connection.cursor() as cursor:
        return index(cursor)


def found(limit=1000, **filters):
    return [row.id for row in look(Filters(**filters), limit=limit, patience=60).rows]


def filler(n):
    return [Line("play.changed", f"play:p-{i % 5}", "cli", detail={"n": i}) for i in range(n)]
