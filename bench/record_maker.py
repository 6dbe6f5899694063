"""
Entries for a record of any length, fast: written by COPY as `audit.entries` words them, sealed by the real sealer.

Their mix is that of an installation at work: stories of a signal, a run and its action, now and then a person or a
pause; a dozen agents, regions as a tree, segments, twenty thousand accounts, one entry every 1.5 seconds up to now. A
shorter record is a younger one, so that the same question has an answer of the same size.
"""

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson
from django.db import connection

from audit import keys
from audit.entries import iso
from audit.indexing import index
from audit.partitions import make_partitions
from audit.seal import direct_connection, load_frontier, seal_batch

STEP_MS = 1_555
"""Between two entries: ten million take half a year."""
CHUNK = 50_000
BATCH = 5_000
RARE, COMMON = "flamingo", "backpressure"
"""A word that RARE_TIMES entries of the last 30 days have, and one that every hundredth has."""
RARE_TIMES = 20
MONTH = timedelta(days=30)
AGENTS = ["inbound-intent", "trial-rescue", "renewal-risk", *(f"agent-{n}" for n in range(9))]
REGIONS = ["amer", "amer/us", "amer/latam", "emea", "emea/de", "emea/uk", "emea/fr", "apac", "apac/jp", "apac/au"]
SEGMENTS = ["enterprise", "mid-market", "smb", ""]
PLAYS = ["inbound-sequence", "trial-call", "renewal-letter", "value-review"]
SOURCES = ["web", "product", "crm"]
WHYS = ["the account asked for no mail", "the limit of the day is reached", "quiet hours of the recipient"]
ENTRY = (
    "copy audit_entry (id, at, verb, subject, actor, agent, run, region, segment, account, request, body) from stdin"
)


SLOW = "select indexname, indexdef from pg_indexes where tablename = 'audit_entry' and indexdef !~ 'UNIQUE'"
"""Indexes that are quicker made afterwards than kept."""


class One(NamedTuple):
    """An entry to be, without its id and moment. `run` and ids in `detail` are text."""

    verb: str
    subject: str
    actor: str
    agent: str = ""
    run: str = ""
    region: str = ""
    segment: str = ""
    account: str = ""
    detail: dict[str, Any] = {}


def make(entries: int, *, seed: int = 1, said: Any = print) -> None:
    """Write, seal and index so many entries in an empty, migrated database."""
    now = int(time.time() * 1000)
    first = now - entries * STEP_MS
    began = datetime.fromtimestamp(first / 1000, UTC)
    with connection.cursor() as cursor:
        cursor.execute(
            "select indexname, indexdef from pg_indexes where tablename = 'audit_entry' and indexdef !~ 'UNIQUE'"
        )
        slow = cursor.fetchall()
        for name, _ in slow:
            cursor.execute(f"drop index {name}")
        months = (datetime.now(UTC).year - began.year) * 12 + datetime.now(UTC).month - began.month + 1
        make_partitions(cursor, "audit_entry", start=began.date(), months=months)
    rng = random.Random(seed)
    recent = min(entries, int(MONTH.total_seconds() * 1000) // STEP_MS)
    rare = {entries - 1 - n * recent // RARE_TIMES - rng.randrange(recent // RARE_TIMES) for n in range(RARE_TIMES)}
    stories = _entries(rng, first)
    with direct_connection() as conn:
        conn.execute("set synchronous_commit = off")
        for costly in ("hashjoin", "mergejoin", "seqscan"):  # as the sealer has it
            conn.execute(f"set enable_{costly} = off")
        frontier, signer = load_frontier(conn), keys.signer(conn)
        for start in range(0, entries, CHUNK):
            ids = []
            with conn.transaction(), conn.cursor() as cursor:
                with cursor.copy(ENTRY) as copy:
                    lines = []
                    for number in range(start, min(entries, start + CHUNK)):
                        one = next(stories)
                        word = RARE if number in rare else COMMON if number % 100 == 7 else ""
                        if word:
                            one = one._replace(detail={**one.detail, "note": f"seen with {word} in the far side"})
                        id_, line = _line(first + number * STEP_MS, one, rng)
                        ids.append(id_)
                        lines.append(line)
                        if len(lines) == 1000:
                            copy.write("".join(lines))
                            lines.clear()
                    copy.write("".join(lines))
                with cursor.copy("copy audit_pending (entry) from stdin") as copy:
                    copy.write("\n".join(ids) + "\n")
            while seal_batch(conn, frontier, signer, limit=BATCH)[0]:
                pass
            conn.execute("truncate audit_pending")  # what is sealed there would be stepped over each time
            if (start // CHUNK) % 20 == 19:
                said(f"  {start + CHUNK:,} of {entries:,} entries", flush=True)
        conn.execute("reset all")
        conn.execute("set maintenance_work_mem = '512MB'")
        for _, definition in slow:
            conn.execute(definition.replace(" ON ONLY ", " ON "))
        conn.execute("analyze")
        said(f"  written and sealed after {time.time() - now / 1000:.0f} s; now its words", flush=True)
        index_all(conn)
        conn.execute("vacuum analyze audit_term")
        conn.execute("vacuum analyze audit_block")
        conn.execute("checkpoint")


def index_all(conn: Any) -> float:
    """Index what is not yet; how many seconds that took."""
    began, done = time.monotonic(), 1
    while done:
        with conn.transaction(), conn.cursor() as cursor:
            done = index(cursor)
    return time.monotonic() - began


def _line(ms: int, one: One, rng: random.Random) -> tuple[str, str]:
    """The id, and the entry as a line of COPY's text format."""
    h = f"{ms:012x}7{rng.getrandbits(12):03x}{0x8 | rng.getrandbits(2):x}{rng.getrandbits(60):015x}"
    id_ = f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"
    at = iso(ms)
    body: dict[str, Any] = {"actor": one.actor, "at": at, "id": id_, "subject": one.subject, "v": 1, "verb": one.verb}
    for name in ("agent", "run", "region", "segment", "account", "detail"):
        if value := getattr(one, name):
            body[name] = value
    sealed = orjson.dumps(body, None, orjson.OPT_SORT_KEYS).hex()
    columns = (id_, at, one.verb, one.subject, one.actor, one.agent, one.run or "\\N", one.region, one.segment)
    return id_, "\t".join((*columns, one.account, "", f"\\\\x{sealed}\n"))


def _entries(rng: random.Random, ms: int) -> Iterator[One]:
    choice, random_, bits = rng.choice, rng.random, rng.getrandbits
    number = 0
    while True:
        number += 1
        if number % 400 == 0:
            yield from _people(rng, number)
        agent, region, segment, play = choice(AGENTS), choice(REGIONS), choice(SEGMENTS), choice(PLAYS)
        account = f"company-{int(20_000 * random_() * random_())}.example"
        moment = f"{ms:012x}"
        run, action, signal, attempt = (
            f"{moment[:8]}-{moment[8:]}-7{bits(12):03x}-8{bits(12):03x}-{bits(48):012x}" for _ in range(4)
        )
        source = choice(SOURCES)
        heard = {"format": "ours", "id": f"{bits(128):032x}", "source": source, "type": "page.viewed"}
        yield One("signal.received", f"signal:{signal}", f"source:{source}", "", "", region, segment, account, heard)
        dice = random_()
        verdict = "alone" if dice < 0.7 else "ask" if dice < 0.9 else "none"
        decided = {
            "signal": signal, "score": bits(6), "confidence": bits(6), "play": f"{play}@3", "verdict": verdict,
            "shadow": False, "clause": "warm-enough", "policy": 7, "brain": "scorecard@2", "actions": [action],
        }  # fmt: skip
        place = (agent, run, region, segment, account)
        yield One("run.decided", f"run:{run}", "worker:loop", *place, decided)
        ms += 2 * STEP_MS
        if verdict == "none":
            continue
        passed = {"play": play, "play_version": 3, "policy": 7}
        subject = f"action:{action}"
        if verdict == "ask":
            person = f"person:{1 + bits(5)}"
            yield One("action.asked", subject, "worker:loop", *place, {"clause": "asks-first", "approval": run})
            yield One("action.approved", subject, person, *place, {"binding": f"{bits(128):032x}"})
            ms += 2 * STEP_MS
        if dice < 0.04:
            yield One("action.refused", subject, "worker:gate", *place, {**passed, "why": choice(WHYS)})
            ms += STEP_MS
            continue
        yield One("action.permitted", subject, "worker:gate", *place, passed)
        done = {"attempt": attempt, "ms": bits(8), "status": 503 if dice < 0.06 else 202}
        if dice < 0.06:
            yield One("action.failed", subject, "worker:gate", *place, {**done, "why": "the far side is overloaded"})
        else:
            yield One("action.delivered", subject, "worker:gate", *place, done)
        ms += 2 * STEP_MS


def _people(rng: random.Random, number: int) -> Iterator[One]:
    person, region = f"person:{1 + rng.getrandbits(5)}", rng.choice(REGIONS)
    yield One("person.signed_in", person, person)
    why = {"why": "too many complaints", "region": region}
    yield One("pause.set", f"pause:{number}", person, "", "", region, "", "", why)
    yield One("pause.lifted", f"pause:{number}", person, "", "", region, "", "", {"why": "it is calm again"})
    changed = {"job": ["Answer who is interested.", "Answer who asks."], "version": number}
    yield One("agent.changed", "agent:inbound-intent", person, "inbound-intent", detail=changed)
