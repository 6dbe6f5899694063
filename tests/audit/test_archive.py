"""Carrying a rule out: one at a time, exactly what the file holds, and without keeping writers waiting."""

import pytest

from audit.age import Rule
from audit.archive import ArchiveError, carry_out, due
from audit.holds import set_hold
from tests.audit.ageing import ALL, OLD, bodies

PART = f"audit_entry_y{OLD:%Y}m{OLD:%m}"
INDEXES = """
select i.indexrelid::regclass::text, h.inhparent::regclass::text
from pg_index i left join pg_inherits h on h.inhrelid = i.indexrelid where i.indrelid = %s::regclass
"""


class Watched:
    """A connection that tells `seen` of each statement before it is run."""

    def __init__(self, conn, seen):
        self.conn, self.seen = conn, seen

    def __getattr__(self, name):
        return getattr(self.conn, name)

    def execute(self, statement, *params):
        self.seen(statement)
        return self.conn.execute(statement, *params)


def test_no_index_is_built_while_writers_wait(record, folder):
    record.write(50)
    record.write(8, verb="action.delivered", agent="inbound", account="acme.com")
    record.seal()
    record.rule(Rule("signal.", 6, archive=False))
    before = {}

    def indexes(table):
        return dict(record.conn.execute(INDEXES, [table]).fetchall())

    def seen(statement):
        if "detach partition" in statement:
            before.update(indexes(f"{PART}_kept"))

    (one,) = due(record.conn)
    carry_out(Watched(record.conn, seen), one, folder=folder, actor="cli")
    assert indexes(PART).keys() == before.keys()
    assert set(indexes(PART).values()) == indexes("audit_entry").keys()
    assert record.count() == 8
    assert record.verify().ok


def test_two_at_once_are_kept_apart(record, workspace, folder):
    ids = record.write(20)
    record.write(4, verb="action.delivered")
    record.seal()
    record.rule(Rule("signal.", 6))
    (one,) = due(record.conn)
    refused = []

    def meanwhile(said):
        with workspace.connect() as other, pytest.raises(ArchiveError) as fault:
            carry_out(other, one, folder=folder, actor="cli")
        refused.append((said.partition(" ")[0], str(fault.value)))

    done = carry_out(record.conn, one, folder=folder, actor="cli", say=meanwhile)
    said = "Another archive is under way on this record: run this one again when it has ended."
    assert refused == [(point, said) for point in ("writing", "verifying", "dropping")]
    assert [entry["id"] for entry in bodies(folder / done.file)] == [str(id) for id in ids]
    record.write(3)
    record.seal()
    with workspace.connect() as other:
        (again,) = due(other)
        carry_out(other, again, folder=folder, actor="cli")
    assert record.count() == 4
    assert record.verify().ok


def test_one_that_fails_lets_the_next_begin(record, workspace, folder):
    record.write(5)
    record.seal()
    record.rule(ALL)
    (one,) = due(record.conn)
    folder.write_text("no folder")
    with pytest.raises(OSError, match=str(folder)):
        carry_out(record.conn, one, folder=folder, actor="cli")
    with workspace.connect() as other:
        carry_out(other, one, folder=folder.with_name("another"), actor="cli")
    assert record.count() == 0


def test_only_what_the_file_holds_is_dropped(record, folder):
    record.write(5)
    record.write(1, account="acme.com")
    record.seal()
    record.rule(ALL)
    (one,) = due(record.conn)

    def meanwhile(said):
        """One less goes and one more, so that there are as many as the file holds."""
        if said.startswith("dropping"):
            set_hold("account", "acme.com", actor="cli", reason="court order 12/26")
            record.write(1)
            record.seal()

    with pytest.raises(ArchiveError, match=r"is not what audit-.* holds"):
        carry_out(record.conn, one, folder=folder, actor="cli", say=meanwhile)
    assert record.count() == 7
    (again,) = record.go(folder)
    assert len(bodies(folder / again.file)) == again.due.going == 6
    assert record.verify().ok
