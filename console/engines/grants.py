"""What the application's role may do to each table: everything with rows, except to those of the record.

The owner migrates; the application reads and appends to the record, and can neither change nor remove any of it.
Partitions are reached through their parents only, so they get no grants of their own; new ones it has made by a
function of the owner's.
"""

from typing import Any

from psycopg import sql

RECORD = {
    "audit_entry": "SELECT, INSERT (id, at, verb, actor, subject, agent, run, region, segment, account, request, body)",
    "audit_leaf": "SELECT, INSERT",
    "audit_checkpoint": "SELECT, INSERT",
    "audit_key": "SELECT, INSERT (vkey)",
    "audit_tile": "SELECT, INSERT",
    "audit_cosignature": "SELECT, INSERT",
    "audit_pending": "SELECT, INSERT, DELETE",
    "audit_retention": "SELECT, INSERT (version, rules, actor, reason)",
    "audit_legal_hold": "SELECT, INSERT (kind, key, since, until, reason, actor)",
    "audit_legal_release": "SELECT, INSERT (hold, reason, actor)",
    "audit_aged": "SELECT",
    "audit_person_key": "SELECT, INSERT, DELETE",
}
ORDINARY = "SELECT, INSERT, UPDATE, DELETE"
TABLES = """
    SELECT relname, relispartition FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
"""


def grant(cursor: Any, role: str) -> None:
    """Give `role` exactly these rights on every table of schema public; run by their owner after migrating.

    One transaction should hold it, so that nobody meets a table between revoke and grant.
    """
    name = sql.Identifier(role)
    cursor.execute(TABLES)
    for table, is_partition in cursor.fetchall():
        names = {"table": sql.Identifier(table), "role": name}
        cursor.execute(sql.SQL("REVOKE ALL ON {table} FROM {role}").format(**names))
        if not is_partition:
            rights = sql.SQL(RECORD.get(table, ORDINARY))
            cursor.execute(sql.SQL("GRANT {rights} ON {table} TO {role}").format(rights=rights, **names))
    cursor.execute(sql.SQL("GRANT EXECUTE ON FUNCTION audit_months_ahead(date) TO {}").format(name))
    cursor.execute(sql.SQL("GRANT EXECUTE ON FUNCTION audit_fresh_statistics(text[]) TO {}").format(name))
    cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(name))
    cursor.execute(sql.SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}").format(name))
