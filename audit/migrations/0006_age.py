"""Rules of retention, legal holds, and what went from the record by rule."""

from django.db import migrations

from audit.partitions import guard_sql

TABLES = """
create table audit_retention (
    version bigint primary key check (version > 0),
    rules jsonb not null,
    actor text not null,
    reason text not null check (reason <> ''),
    at timestamptz not null default clock_timestamp()
);

create table audit_legal_hold (
    id bigint generated always as identity primary key,
    kind text not null check (kind in ('agent', 'account', 'person', 'run', 'period')),
    key text not null,
    since timestamptz,
    until timestamptz,
    reason text not null check (reason <> ''),
    actor text not null,
    at timestamptz not null default clock_timestamp(),
    check (kind = 'period' or key <> ''),
    check (kind <> 'period' or since is not null)
);

create table audit_legal_release (
    hold bigint primary key references audit_legal_hold,
    reason text not null check (reason <> ''),
    actor text not null,
    at timestamptz not null default clock_timestamp()
);

create table audit_aged (
    id bigint generated always as identity primary key,
    month date not null,
    verbs text not null,
    months int not null,
    archived boolean not null,
    low uuid not null,
    high uuid not null,
    from_seq bigint not null,
    to_seq bigint not null,
    dropped bigint not null check (dropped > 0),
    missing bigint not null check (missing >= dropped),
    root bytea not null check (length(root) = 32),
    file text not null default '',
    sha256 text not null default '' check (archived = (sha256 ~ '^[0-9a-f]{64}$')),
    entry uuid not null,
    at timestamptz not null default clock_timestamp()
);
"""
GUARDED = ("audit_retention", "audit_legal_hold", "audit_legal_release", "audit_aged")


class Migration(migrations.Migration):
    dependencies = [("audit", "0005_search")]
    operations = [
        migrations.RunSQL(
            TABLES + "".join(f"{guard_sql(table)};\n" for table in GUARDED),
            "drop table audit_aged, audit_legal_release, audit_legal_hold, audit_retention",
        )
    ]
