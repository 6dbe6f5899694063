"""Tiles, the tree's hashes in rows of 256; what witnesses signed; how copies outside and the scheduled verify stand."""

from django.db import migrations

from audit.partitions import guard_sql

# Hashes are random: compressing them is lost work, and out of line they don't burden who reads roots alone.
TABLES = """
create table audit_tile (
    level int not null check (level >= 0 and level % 8 = 0),
    index bigint not null check (index >= 0),
    hashes bytea not null check (length(hashes) = 8192),
    root bytea not null check (length(root) = 32),
    primary key (level, index)
);
alter table audit_tile alter column hashes set storage external;

create table audit_cosignature (
    size bigint not null,
    witness text not null,
    line text not null,
    at timestamptz not null default clock_timestamp(),
    primary key (size, witness)
);

create table audit_outlet (
    target text primary key,
    size bigint not null default 0,
    at timestamptz,
    failing_since timestamptz,
    error text not null default ''
);

create table audit_verified (
    one boolean primary key default true check (one),
    size bigint not null default 0,
    rolling bigint not null default 0,
    round_began timestamptz not null default clock_timestamp(),
    round_found bigint not null default 0,
    whole_at timestamptz,
    at timestamptz not null default clock_timestamp(),
    found bigint not null default 0,
    first text not null default ''
);
insert into audit_verified default values;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_months_ahead")]
    operations = [
        migrations.RunSQL(
            f"{TABLES}; {guard_sql('audit_tile')}; {guard_sql('audit_cosignature')}",
            "drop table audit_tile, audit_cosignature, audit_outlet, audit_verified",
        )
    ]
