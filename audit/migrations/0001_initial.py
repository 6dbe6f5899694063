"""The record's tables, their guards, and the trigger that refuses a change without its entry."""

from datetime import UTC, datetime

from django.db import migrations, models

from audit.partitions import guard_sql, make_partitions

TABLES = """
create table audit_entry (
    id uuid not null,
    at timestamptz not null,
    verb text not null,
    actor text not null,
    subject text not null,
    agent text not null default '',
    run uuid,
    region text not null default '',
    segment text not null default '',
    account text not null default '',
    request text not null default '',
    body bytea not null,
    tx xid8 not null default pg_current_xact_id(),
    primary key (id)
) partition by range (id);

create index audit_entry_subject on audit_entry (subject, id);
create index audit_entry_run on audit_entry (run) where run is not null;
create index audit_entry_agent on audit_entry (agent, id) where agent <> '';
create index audit_entry_account on audit_entry (account, id) where account <> '';
create index audit_entry_actor on audit_entry (actor, id) where actor not like 'worker:%';

create table audit_pending (entry uuid primary key) with (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000000
);

create table audit_leaf (
    seq bigint primary key check (seq >= 0),
    entry uuid not null unique,
    hash bytea not null check (length(hash) = 32)
);

create table audit_checkpoint (
    size bigint primary key check (size > 0),
    root bytea not null check (length(root) = 32),
    note text not null,
    frontier bytea not null,
    at timestamptz not null default clock_timestamp()
);

create table audit_key (vkey text primary key, at timestamptz not null default clock_timestamp());
"""

FUNCTIONS = """
create function audit_refuse() returns trigger language plpgsql as $$
begin
    raise exception 'the record is append-only: % on % refused', tg_op, tg_table_name using errcode = 'restrict_violation';
end $$;

create function audit_floor_id(at timestamptz) returns uuid language sql stable strict parallel safe as $$
    select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid
$$;

comment on function audit_floor_id(timestamptz) is 'the smallest UUIDv7 of that millisecond';

-- Refuses the commit of a changed row unless this transaction wrote an entry whose subject is kind:key. The tx column
-- holds the top-level transaction, so savepoints count and their rollback uncounts; the day's bound on the id keeps the
-- look-up in the newest partition, whatever the subject's history.
create function audit_require_entry() returns trigger language plpgsql as $$
declare
    kind text := tg_argv[0];
    key_column text := tg_argv[1];
    subjects text[] := '{}';
begin
    if tg_op <> 'DELETE' then
        subjects := subjects || (kind || ':' || (to_jsonb(new) ->> key_column));
    end if;
    if tg_op <> 'INSERT' then
        subjects := subjects || (kind || ':' || (to_jsonb(old) ->> key_column));
    end if;
    perform from audit_entry
    where subject = any(subjects) and tx = pg_current_xact_id()
    and id >= audit_floor_id(transaction_timestamp() - interval '1 day')
    limit 1;
    if not found then
        raise exception '% of % without an entry in the record for %', tg_op, tg_table_name, subjects[1]
        using errcode = 'integrity_constraint_violation', table = tg_table_name,
        hint = 'write the change and its entry in one transaction: audit.entries.record';
    end if;
    return null;
end $$;
"""


def partition(apps, schema_editor):
    """Guard the append-only tables, then make the entries' first months, which take the guard over."""
    for table in ("audit_entry", "audit_leaf", "audit_checkpoint", "audit_key"):
        schema_editor.execute(guard_sql(table))
    with schema_editor.connection.cursor() as cursor:
        make_partitions(cursor, "audit_entry", start=datetime.now(UTC).date(), months=4)


class Migration(migrations.Migration):
    initial = True
    dependencies = []

    operations = [
        migrations.RunSQL(
            TABLES, "drop table audit_entry, audit_pending, audit_leaf, audit_checkpoint, audit_key cascade"
        ),
        migrations.RunSQL(
            FUNCTIONS,
            "drop function audit_require_entry, audit_refuse, audit_floor_id",
        ),
        migrations.RunPython(partition, migrations.RunPython.noop),
        migrations.CreateModel(
            name="Entry",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField(help_text="The id's moment, to the millisecond.")),
                ("verb", models.TextField(help_text="From audit.words, such as action.delivered.")),
                ("actor", models.TextField(help_text="Who did it: person:ana@…, worker:loop, source:web, cli.")),
                ("subject", models.TextField(help_text="What it was done to, as kind:key.")),
                ("agent", models.TextField(default="", help_text="The agent's slug.")),
                ("run", models.UUIDField(null=True)),
                ("region", models.TextField(default="")),
                ("segment", models.TextField(default="")),
                ("account", models.TextField(default="")),
                ("request", models.TextField(default="", help_text="The request or task that carried it.")),
                ("body", models.BinaryField(help_text="RFC 8785 bytes: what is sealed.")),
            ],
            options={
                "db_table": "audit_entry",
                "ordering": ["-id"],
                "managed": False,
                "verbose_name_plural": "entries",
            },
        ),
        migrations.CreateModel(
            name="Pending",
            fields=[("entry", models.UUIDField(primary_key=True, serialize=False))],
            options={"db_table": "audit_pending", "managed": False, "verbose_name_plural": "pending"},
        ),
        migrations.CreateModel(
            name="Leaf",
            fields=[
                ("seq", models.BigIntegerField(primary_key=True, serialize=False)),
                ("entry", models.UUIDField(unique=True)),
                ("hash", models.BinaryField()),
            ],
            options={
                "db_table": "audit_leaf",
                "ordering": ["seq"],
                "managed": False,
                "verbose_name_plural": "leaves",
            },
        ),
        migrations.CreateModel(
            name="Checkpoint",
            fields=[
                ("size", models.BigIntegerField(primary_key=True, serialize=False)),
                ("root", models.BinaryField()),
                ("note", models.TextField(help_text="C2SP signed note.")),
                (
                    "frontier",
                    models.BinaryField(
                        help_text="audit.merkle.Frontier after `size` leaves, from which sealing goes on."
                    ),
                ),
                ("at", models.DateTimeField()),
            ],
            options={"db_table": "audit_checkpoint", "ordering": ["size"], "managed": False},
        ),
        migrations.CreateModel(
            name="Key",
            fields=[("vkey", models.TextField(primary_key=True, serialize=False)), ("at", models.DateTimeField())],
            options={"db_table": "audit_key", "ordering": ["at"], "managed": False},
        ),
    ]
