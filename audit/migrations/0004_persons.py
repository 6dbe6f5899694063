"""A key for each person the record speaks of; destroying one is erasure, and wants its entry."""

from django.db import migrations

TABLE = """
create table audit_person_key (
    person text primary key check (person ~ '^[0-9a-f]{32}$'),
    key bytea not null check (length(key) = 32),
    at timestamptz not null default clock_timestamp()
);
create trigger audit_person_key_kept before update or truncate on audit_person_key
    for each statement execute function audit_refuse();
create constraint trigger audit_require_entry after delete on audit_person_key
    deferrable initially deferred for each row execute function audit_require_entry('contact', 'person');
"""

# The planner's statistics hold samples of what stands in a table, and so of what stood there before an erasure.
FUNCTION = """
create function audit_fresh_statistics(tables text[]) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    named text;
begin
    foreach named in array tables loop
        execute format('analyze public.%I', named);
    end loop;
end $$;
revoke all on function audit_fresh_statistics(text[]) from public;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_tiles")]
    operations = [
        migrations.RunSQL(TABLE, "drop table audit_person_key"),
        migrations.RunSQL(FUNCTION, "drop function audit_fresh_statistics(text[])"),
    ]
