"""
Taking the demo workspace away, all of it, while everything else goes on.

 1. Its sources are switched off, and it waits until web servers know that and nothing is in flight any more.
 2. Real agents that belong to demo people are handed to the heir; what something real stands on is a demo no longer.
 3. Everything else goes in one transaction. The record stays, and gets an entry for each noun that went.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import Q

from agents.changes.agent import change_agent, hand_over
from agents.changes.source import change_source
from agents.models import UNASSIGNED, Agent, Connection, Pause, Play, Policy, Region, Segment, Source
from agents.nouns import BY_TABLE
from agents.rules.canonical import identity_hash
from approvals.models import Person
from audit.entries import Line, record
from audit.require import subjects
from console.demo import stories
from console.demo.build import WORKSPACE
from console.intake.sources import FRESH_SECONDS

PATIENCE = 10.0
"""Seconds to wait for what is in flight; then it goes too."""
LOCKED = "agents_signal, agents_account, agents_run, agents_action, agents_attempt, agents_hold"
OF_QUESTION = "p.subject = 'action:' || a.id AND {action}"
OF_AGENT = "p.agent = ANY(SELECT slug FROM agents_agent WHERE id = ANY(%(agents)s))"
HISTORY = (
    ("attempts", "DELETE FROM agents_attempt t USING agents_action a WHERE a.id = t.action_id AND {action}"),
    *(("", f"DELETE FROM approvals_{said} v USING approvals_approval p, agents_action a "  # noqa: S608
           f"WHERE v.approval_id = p.id AND {OF_QUESTION}")
      for said in ("verdict", "edit", "message", "snooze", "call", "told")),
    ("questions", f"DELETE FROM approvals_approval p USING agents_action a WHERE {OF_QUESTION}"),  # noqa: S608
    *(("", f"DELETE FROM approvals_{said} v USING approvals_approval p "  # noqa: S608
           f"WHERE v.approval_id = p.id AND p.planted AND {OF_AGENT}")
      for said in ("verdict", "message", "snooze", "call", "told")),
    ("questions", f"DELETE FROM approvals_approval p WHERE p.planted AND {OF_AGENT}"),  # noqa: S608
    ("", f"DELETE FROM approvals_planting p WHERE {OF_AGENT}"),  # noqa: S608
    ("locks", "DELETE FROM agents_contactlock l WHERE l.agent_id = ANY(%(agents)s)"),
    ("locks", "DELETE FROM agents_contactlock l USING agents_action a WHERE a.id = l.action_id AND {action}"),
    ("outcomes", "DELETE FROM agents_outcome o USING agents_run a WHERE a.id = o.run_id AND {action}"),
    ("", "DELETE FROM agents_hold h USING agents_action a WHERE a.id = h.action_id AND {action}"),
    ("actions", "DELETE FROM agents_action a WHERE {action}"),
    ("runs", "DELETE FROM agents_run a WHERE {action}"),
    ("signals", "DELETE FROM agents_signal WHERE is_demo OR source_id = ANY(%(sources)s)"),
    ("dead letters", "DELETE FROM agents_deadletter WHERE source_id = ANY(%(sources)s)"),
    ("ids", "DELETE FROM agents_seen WHERE source_id = ANY(%(sources)s)"),
    ("accounts", "DELETE FROM agents_account a WHERE is_demo AND NOT EXISTS ("
                 "SELECT FROM agents_signal s WHERE s.account = a.key)"),
    ("", "UPDATE agents_account SET is_demo = false, "
         "region_id = CASE WHEN region_id = ANY(%(regions)s) THEN %(no_region)s ELSE region_id END, "
         "segment_id = CASE WHEN segment_id = ANY(%(segments)s) THEN %(no_segment)s ELSE segment_id END WHERE is_demo"),
    ("counters", "DELETE FROM agents_counter WHERE split_part(key, ':', 1) = 'agent' "
                 "AND split_part(key, ':', 2) = ANY(%(agents)s::text[])"),
)  # fmt: skip
"""In this order. `{action}` tells a demo's run or action `a`."""
OF_DEMO = "(a.is_demo OR a.agent_id = ANY(%(agents)s))"
NOUNS = (
    ("pages", "DELETE FROM agents_page USING agents_incident i WHERE incident_id = i.id AND {incident}"),
    ("incidents", "DELETE FROM agents_incident i WHERE {incident}"),
    ("", "DELETE FROM agents_hold WHERE pause_id = ANY(%(pauses)s)"),
    ("pauses", "DELETE FROM agents_pause WHERE id = ANY(%(pauses)s)"),
    ("do-not-contact", "DELETE FROM agents_donotcontact "
                       "WHERE contact = ANY(%(contacts)s) OR added_by_id = ANY(%(people)s)"),
    ("routes", "DELETE FROM agents_route WHERE agent_id = ANY(%(agents)s) OR source_id = ANY(%(sources)s)"),
    ("metrics", "DELETE FROM agents_metric WHERE agent_id = ANY(%(agents)s)"),
    ("grants", "DELETE FROM agents_grant g USING django_content_type c WHERE c.id = g.content_type_id AND ("
               "c.model = 'agent' AND object_pk = ANY(%(agents)s::text[]) OR "
               "c.model = 'region' AND object_pk = ANY(%(regions)s::text[]) OR "
               "c.model = 'segment' AND object_pk = ANY(%(segments)s::text[]))"),
    ("", "UPDATE agents_agent SET policy_id = NULL WHERE id = ANY(%(agents)s)"),
    ("", "DELETE FROM agents_policydraft WHERE agent_id = ANY(%(agents)s)"),
    ("", "DELETE FROM agents_policyproposal WHERE agent_id = ANY(%(agents)s)"),
    ("policies", "DELETE FROM agents_policy WHERE agent_id = ANY(%(agents)s)"),
    ("agents", "DELETE FROM agents_agent WHERE id = ANY(%(agents)s)"),
    ("versions", "DELETE FROM agents_playversion WHERE play_id = ANY(%(plays)s)"),
    ("plays", "DELETE FROM agents_play WHERE id = ANY(%(plays)s)"),
    ("connections", "DELETE FROM agents_connection WHERE id = ANY(%(connections)s)"),
    ("sources", "DELETE FROM agents_source WHERE id = ANY(%(sources)s)"),
    ("regions", "DELETE FROM agents_region WHERE id = ANY(%(regions)s)"),
    ("segments", "DELETE FROM agents_segment WHERE id = ANY(%(segments)s)"),
)  # fmt: skip
OF_INCIDENT = "(i.agent_id = ANY(%(agents)s) OR i.connection_id = ANY(%(connections)s))"


@dataclass
class Going:
    """Ids of what goes, by noun; `stays` are the names of what something real stands on."""

    ids: dict[str, list[int]]
    stays: list[str] = field(default_factory=list)

    @property
    def parameters(self) -> dict[str, Any]:
        """For the statements above."""
        return {
            **self.ids,
            "contacts": [identity_hash(settings.IDENTITY_KEY, email) for email in stories.UNSUBSCRIBED],
            "no_region": Region.objects.get(code=UNASSIGNED).pk,
            "no_segment": Segment.objects.get(code=UNASSIGNED).pk,
        }


def remove(*, heir: Person, actor: str) -> list[str]:
    """
    Remove all that is marked as demo, handing to `heir` (active, no demo) the real agents of its people.

    Returns what was done, in lines. What is removed goes in one transaction that locks LOCKED against writers;
    OperationalError, with nothing removed, when others hold those tables for more than 10 s.
    """
    _quiet(actor)
    handed = _hand_over(heir, actor)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '10s'")
            cursor.execute(f"LOCK TABLE ONLY {LOCKED.replace(', ', ', ONLY ')} IN EXCLUSIVE MODE")
        going = _going(actor)
        counts = _delete(going, actor)
        kept = _people(going.ids["people"], actor)
        record(Line("demo.removed", WORKSPACE, actor, detail={key.replace("-", "_"): n for key, n in counts.items()}))
    (settings.VAR / "sign-ins.txt").unlink(missing_ok=True)
    said = ["Removed the demo workspace: " + ", ".join(f"{key} {n:,}" for key, n in counts.items() if n) + "."]
    if handed:
        said.append(f"{heir.name} owns now: {', '.join(handed)}.")
    if going.stays:
        said.append(f"Kept, since something of your own stands on it: {', '.join(going.stays)}.")
    if kept:
        said.append(f"Switched off, since your own work names them: {', '.join(kept)}.")
    return [*said, "The record keeps what the demo did."]


def _quiet(actor: str) -> None:
    for source in Source.objects.filter(is_demo=True, is_active=True):
        change_source(source, actor=actor, is_active=False)
    time.sleep(FRESH_SECONDS + 0.5)
    end = time.monotonic() + PATIENCE
    while _asked("SELECT EXISTS (SELECT FROM agents_action WHERE state = 'sending' AND is_demo)"):
        if time.monotonic() > end:
            break
        time.sleep(0.2)


def _hand_over(heir: Person, actor: str) -> list[str]:
    """Real agents whose owner or deputy goes: to the heir, and without a deputy."""
    real = Agent.objects.filter(is_demo=False)
    handed = []
    for agent in real.filter(owner__is_demo=True):
        hand_over(agent, actor=actor, owner=heir, why="Its owner was part of the demo workspace.")
        handed.append(agent.name)
    for agent in real.filter(deputy__is_demo=True):
        change_agent(agent, actor=actor, deputy=None)
    with transaction.atomic():
        for agent in real.filter(built_by__is_demo=True):
            Agent.objects.filter(pk=agent.pk).update(built_by=None)
            record(Line("agent.changed", f"agent:{agent.slug}", actor, agent=agent.slug, detail={"built_by": None}))
    return handed


def _going(actor: str) -> Going:
    """What goes. Plays first: what a play that stays goes through stays too, as does what lies above a kept region."""
    ids = {
        "agents": _ids(Agent.objects.filter(is_demo=True)),
        "sources": _ids(Source.objects.filter(is_demo=True)),
        "people": _ids(Person.objects.filter(is_demo=True)),
    }
    going = Going(ids)
    plays = {choice.get("play") for agent in Agent.objects.filter(is_demo=False) for choice in agent.choices}
    plays |= _used("play_id", Play, "slug")
    going.ids["plays"] = _leave(going, Play, "slug", plays, actor)
    connections = {step.get("connection") for play in Play.objects.filter(is_demo=False) for step in play.steps}
    connections |= _used("connection_id", Connection, "slug")
    going.ids["connections"] = _leave(going, Connection, "slug", connections, actor)
    for tree, noun in ((Region, "region"), (Segment, "segment")):
        codes = _named(noun) | _used(f"{noun}_id", tree, "code")
        codes |= set(tree.objects.filter(is_demo=False).values_list("code", flat=True))
        lineage = {above for code in codes for above in _lineage(code)}
        going.ids[f"{noun}s"] = _leave(going, tree, "code", lineage, actor)
    going.ids["pauses"] = _pauses(going)
    return going


def _pauses(going: Going) -> list[int]:
    """Pauses of what goes. One of more than that goes only with the last agent: what is stopped stays stopped."""
    of_it = Q()
    for noun in ("agent", "region", "segment", "play", "connection"):
        of_it |= Q(**{f"{noun}__in": going.ids[f"{noun}s"]})
    if not Agent.objects.filter(is_demo=False).exists():
        of_it |= Q(set_by__in=going.ids["people"])
    return _ids(Pause.objects.filter(of_it))


def _leave(going: Going, model: type[Any], key: str, used: set[Any], actor: str) -> list[int]:
    """The ids of the model's demo rows that go; those whose `key` is used stay, and are no demo any more."""
    staying = model.objects.filter(is_demo=True, **{f"{key}__in": [one for one in used if one]})
    going.stays += list(staying.values_list("name", flat=True))
    kind = model._meta.model_name
    record(*[Line("demo.kept", f"{kind}:{value}", actor) for value in staying.values_list(key, flat=True)])
    staying.update(is_demo=False)
    return _ids(model.objects.filter(is_demo=True))


def _used(column: str, model: type[Any], key: str) -> set[str]:
    """Keys of the model's rows that real work names."""
    demo = dict(model.objects.filter(is_demo=True).values_list("pk", key))
    tables = ["agents_action"] + (["agents_signal", "agents_account"] if model in (Region, Segment) else [])
    found: set[str] = set()
    with connection.cursor() as cursor:
        for table in tables:
            asked = f"SELECT DISTINCT {column} FROM {table} WHERE NOT is_demo AND {column} = ANY(%s)"  # noqa: S608
            cursor.execute(asked, [list(demo)])
            found |= {demo[row[0]] for row in cursor.fetchall()}
    return found


def _named(noun: str) -> set[str]:
    """Codes that the mappings of real sources and the policies in force of real agents name."""
    found: set[str] = set()
    for source in Source.objects.filter(is_demo=False):
        found |= set((source.mapping.get(f"{noun}_map") or {}).values())
        found |= {rule.get("segment", "") for rule in source.mapping.get("segment_rules") or () if noun == "segment"}
    for policy in Policy.objects.filter(pk__in=Agent.objects.filter(is_demo=False).values("policy")):
        for clause in policy.spec.get("clauses", ()):
            found |= set(clause.get(f"{noun}s") or ())
    return found


def _lineage(code: str) -> Iterator[str]:
    parts = code.split("/")
    return ("/".join(parts[: n + 1]) for n in range(len(parts)))


def _delete(going: Going, actor: str) -> dict[str, int]:
    """Delete in order, with an entry for each noun; how many rows of each kind."""
    lines = [
        *_lines("agent", Agent.objects.filter(pk__in=going.ids["agents"]), "slug", actor),
        *_lines("play", Play.objects.filter(pk__in=going.ids["plays"]), "slug", actor),
        *_lines("connection", Connection.objects.filter(pk__in=going.ids["connections"]), "slug", actor),
        *_lines("source", Source.objects.filter(pk__in=going.ids["sources"]), "slug", actor),
        *_lines("region", Region.objects.filter(pk__in=going.ids["regions"]), "code", actor),
        *_lines("segment", Segment.objects.filter(pk__in=going.ids["segments"]), "code", actor),
        *_lines("pause", Pause.objects.filter(pk__in=going.ids["pauses"]), "pk", actor),
    ]
    counts: dict[str, int] = {}
    with connection.cursor() as cursor:
        for what, statement in (*HISTORY, *NOUNS):
            cursor.execute(statement.format(action=OF_DEMO, incident=OF_INCIDENT), going.parameters)
            if what:
                counts[what] = counts.get(what, 0) + cursor.rowcount
    if lines:
        record(*lines)
    return counts


def _lines(kind: str, rows: models.QuerySet[Any], key: str, actor: str) -> list[Line]:
    return [Line("demo.dropped", f"{kind}:{value}", actor) for value in rows.values_list(key, flat=True)]


def _people(ids: list[int], actor: str) -> list[str]:
    """Delete the people nothing real names any more; switch the others off, and return their names."""
    kept = []
    for person in Person.objects.filter(pk__in=ids):
        record(Line("demo.dropped", person.actor, actor))
        if any(_names(relation, person) for relation in Person._meta.get_fields(include_hidden=True)):
            person.is_active = False
            person.set_unusable_password()
            person.save(update_fields=["is_active", "password"])
            kept.append(person.name)
        else:
            record(*_changed_with(person, actor))
            person.delete()
    return kept


def _changed_with(person: Person, actor: str) -> list[Line]:
    """Entries of what names the person only in passing, such as who stands in for somebody, and does no more."""
    lines = []
    for relation in Person._meta.get_fields(include_hidden=True):
        if isinstance(relation, models.ManyToOneRel) and relation.on_delete is models.SET_NULL:
            noun = BY_TABLE.get(relation.related_model._meta.db_table)
            with connection.cursor() as cursor:
                found = subjects(cursor, noun, f"row.{relation.field.column} = %s", [person.pk]) if noun else []
            lines += [Line("demo.dropped", subject, actor, detail={"person": person.actor}) for subject in found]
    return lines


def _names(relation: Any, person: Person) -> bool:
    if not isinstance(relation, models.ManyToOneRel) or relation.on_delete is not models.PROTECT:
        return False
    return bool(relation.related_model._default_manager.filter(**{relation.field.name: person}).exists())


def _ids(rows: models.QuerySet[Any]) -> list[int]:
    return list(rows.values_list("pk", flat=True))


def _asked(sql: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return bool(cursor.fetchone()[0])
