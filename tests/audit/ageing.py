"""A record with a month that is over, sealed by hand, for tests of how it ages."""

import gzip
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

from audit import entries as writing
from audit import seal, standalone
from audit.age import Rule, month_after
from audit.archive import carry_out, due
from audit.entries import Line, append
from audit.ids import floor_id
from audit.keys import signer
from audit.partitions import make_partitions
from audit.verify import verify

TODAY = datetime.now(UTC).date()
OLD = month_after(TODAY, -14)
ALL = Rule("", 12)
RUN = UUID("0199a000-0000-7000-8000-000000000001")


class Record:
    """A record with a month that is over, sealed by hand."""

    def __init__(self, conn, monkeypatch):
        self.conn, self.signer = conn, signer(conn)
        self.frontier = seal.load_frontier(conn)
        self.monkeypatch, self.numbers = monkeypatch, count()
        make_partitions(conn.cursor(), "audit_entry", start=OLD, months=1)

    def write(self, n=1, *, month=OLD, verb="signal.received", **columns):
        """`n` entries on the 3rd of a month; their ids."""
        low = floor_id(datetime(month.year, month.month, 3, tzinfo=UTC)).int

        def ids(many):
            return [UUID(int=low + (next(self.numbers) << 80)) for _ in range(many)]

        with self.monkeypatch.context() as patched:
            patched.setattr(writing, "new_ids", ids)
            return append(self.conn, [Line(verb, f"signal:{k}", "source:web", **columns) for k in range(n)])

    def seal(self):
        while seal.seal_batch(self.conn, self.frontier, self.signer)[0]:
            pass

    def rule(self, *rules, days=2):
        """Rules that were set `days` ago, as the owner alone can pretend, with their entry."""
        version = self.conn.execute("select coalesce(max(version), 0) + 1 from audit_retention").fetchone()[0]
        self.conn.execute("set session_replication_role = replica")
        self.conn.execute(
            "insert into audit_retention values (%s, %s, 'cli', 'agreed', now() - %s)",
            [version, json.dumps([rule.document for rule in rules]), timedelta(days=days)],
        )
        self.conn.execute("set session_replication_role = origin")
        at = datetime.now(UTC) - timedelta(days=days)
        make_partitions(self.conn.cursor(), "audit_entry", start=at.date(), months=1)
        detail = {"rules": [rule.document for rule in rules]}
        with self.monkeypatch.context() as patched:
            patched.setattr(writing, "new_ids", lambda _: [UUID(int=floor_id(at).int + version)])
            append(self.conn, [Line("record.ruled", f"retention:{version}", "cli", detail=detail)])

    def go(self, folder, **more):
        """Everything that is due, done."""
        return [carry_out(self.conn, one, folder=folder, actor="cli", **more) for one in due(self.conn) if one.going]

    def count(self, month=OLD):
        between = [floor_id(datetime(month.year, month.month, 1, tzinfo=UTC)), high(month)]
        return self.conn.execute("select count(*) from audit_entry where id >= %s and id < %s", between).fetchone()[0]

    def verify(self):
        self.seal()
        return verify(self.conn)

    def forcibly(self, statement, *params):
        """As somebody who owns the tables and takes the guard off."""
        with self.conn.transaction():
            self.conn.execute("set local session_replication_role = replica")
            self.conn.execute(statement, params)


def high(month):
    """The smallest id of the month after."""
    after = month_after(month, 1)
    return floor_id(datetime(after.year, after.month, 1, tzinfo=UTC))


def offline(path, *options):
    """The standalone program on a file, with nothing but Python."""
    argv = [sys.executable, "-I", standalone.__file__, str(path), *options]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def bodies(path):
    with gzip.open(path) as file:
        return [json.loads(json.loads(line)["body"]) for line in file if b'"body"' in line]
