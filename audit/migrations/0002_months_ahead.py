"""Months ahead of every growing table, made with the owner's rights by whoever keeps house."""

from django.db import migrations

# Whoever may call it can make a month's empty partition and nothing else: names come from the catalogue, none is given.
FUNCTION = """
create function audit_months_ahead(today date) returns text[]
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '2s' as $$
declare
    parent text;
    is_guarded boolean;
    is_astray boolean;
    month timestamp;
    part text;
    low uuid;
    high uuid;
    made text[] := '{}';
begin
    for parent, is_guarded in
        select c.relname, exists (select from pg_trigger t where t.tgrelid = c.oid and t.tgname = 'audit_guard')
        from pg_partitioned_table p
        join pg_class c on c.oid = p.partrelid
        join pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
        where p.partstrat = 'r' and p.partnatts = 1 and a.atttypid = 'uuid'::regtype
        and c.relnamespace = 'public'::regnamespace
        order by 1
    loop
        for ahead in 0..3 loop
            month := date_trunc('month', today::timestamp) + make_interval(months => ahead);
            part := parent || to_char(month, '"_y"YYYY"m"MM');
            continue when to_regclass(format('public.%I', part)) is not null;
            low := audit_floor_id(month at time zone 'UTC');
            high := audit_floor_id((month + interval '1 month') at time zone 'UTC');
            execute format('select exists (select from public.%I where id >= $1 and id < $2)', parent || '_default')
                into is_astray using low, high;
            continue when is_astray;
            execute format(
                'create table public.%I partition of public.%I for values from (%L) to (%L)', part, parent, low, high
            );
            if is_guarded then
                execute format(
                    'create trigger audit_guard before update or delete or truncate on public.%I '
                    'for each statement execute function public.audit_refuse()', part
                );
            end if;
            made := made || part;
        end loop;
    end loop;
    return made;
end $$;
revoke all on function audit_months_ahead(date) from public;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [migrations.RunSQL(FUNCTION, "drop function audit_months_ahead(date)")]
