"""The index of the record's terms, made after sealing and never in the way of writing; see audit.indexing."""

from django.db import migrations

TABLES = """
create table audit_term (
    term text collate "C" not null,
    block bigint not null,
    hits bytea not null,
    primary key (term, block)
);
create index audit_term_block on audit_term using brin (block);

create table audit_block (block bigint primary key, low uuid not null, high uuid not null);
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_persons")]
    operations = [migrations.RunSQL(TABLES, "drop table audit_term, audit_block")]
