"""No change without its entry: a trigger for other rooms' tables."""

from audit.partitions import plain


def require_entry_sql(table: str, kind: str, key_column: str) -> str:
    """SQL for a migration: from then on a commit that changed a row of `table` is refused (IntegrityError) unless the
    same transaction wrote an entry whose subject is `kind:<key_column's value>`.

    Checked at commit, so the order within the transaction is free. When a key changes, either value will do.
    """
    return (
        f"create constraint trigger audit_require_entry after insert or update or delete on {plain(table)} "
        "deferrable initially deferred for each row "
        f"execute function audit_require_entry('{plain(kind)}', '{plain(key_column)}')"
    )
