"""Searching the record: any filter, any words, newest first, without reading more of it than the page needs.

Where one index of the table answers (a run, an account, an agent …) `audit.timeline` reads on its own. Else the blocks
of `audit.indexing` say which entries can match, newest block first; what is not indexed yet, sealed or not, is read as
it stands and held against the same terms. So an entry is found from the moment it is committed.

Entries come in the order of their numbers, those without one yet before them. That is the order of their ids, but for
those that were committed late.
"""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from audit.ids import floor_id
from audit.indexing import BLOCK, bits
from audit.terms import saying, speaking_of, terms, texts, verbs, words_in
from audit.timeline import Filters, Row, timeline, where
from audit.timeline import rows as read

MOST_WORDS = 12
"""Words of a search that are looked for."""
PATIENCE = 1.0
"""Seconds after which a search that found too little says how far it came."""
WINDOW = 2_000
"""Entries that are not indexed yet, read at once."""
PROBE = 64
"""Blocks that one step looks at."""
WIDEST = 400
"""Alternatives of one condition that the index is asked for; with more only the entries themselves are."""

_PHRASE = re.compile(r'"([^"]*)"')
_PROBE = """
select t.g, t.term, b.block, b.hits from unnest(%s::int[], %s::text[]) t (g, term) cross join lateral (
    select block, hits from audit_term x where x.term = t.term and x.block between %s and %s order by block {} limit %s
) b
"""
_AT = """
select t.g, b.block, b.hits from unnest(%s::int[], %s::text[]) t (g, term) cross join unnest(%s::bigint[]) at (block)
cross join lateral (select x.block, x.hits from audit_term x where x.term = t.term and x.block = at.block) b
"""
_HINT = r"""
(strpos(lower(encode(body, 'escape')), %s) > 0 or encode(body, 'escape') ~ '\\[0-3][0-7]{2}' or verb = any(%s))
"""

Group = frozenset[str]
"""Terms of which an entry has to have one."""


class Found(NamedTuple):
    """Entries that match, newest first. `further` is set when patience ran out before the page was full: the entry up
    to which all was looked at, from which the search goes on."""

    rows: list[Row]
    further: UUID | None = None


@dataclass(frozen=True)
class Sought:
    """What a person typed, taken apart."""

    words: tuple[str, ...] = ()
    phrases: tuple[tuple[str, ...], ...] = ()
    left_out: bool = False
    """Whether there were more words than are looked for."""


def sought(text: str) -> Sought:
    """The words of `text` that are looked for, and its phrases in double quotes. Any text will do."""
    found = list(dict.fromkeys(words_in(text)))
    phrases = (tuple(words_in(one))[:MOST_WORDS] for one in _PHRASE.findall(text)[:MOST_WORDS])
    return Sought(tuple(found[:MOST_WORDS]), tuple(one for one in phrases if len(one) > 1), len(found) > MOST_WORDS)


def look(
    filters: Filters,
    *,
    before: UUID | None = None,
    after: UUID | None = None,
    limit: int = 50,
    patience: float = PATIENCE,
) -> Found:
    """Up to `limit` entries that match: the newest, those just `before` an entry, or those just `after` one."""
    groups = _groups(filters)
    if not all(groups):
        return Found([])
    if _has_index(filters) or not groups:
        return Found(timeline(filters, before=before, after=after, limit=limit))
    return _Walk(filters, groups, older=after is None or before is not None).page(
        before or after, limit, time.monotonic() + patience
    )


def count_newer(filters: Filters, *, than: UUID, limit: int = 100) -> int:
    """How many matching entries came after `than`, counted up to `limit`."""
    return len(look(filters, after=than, limit=limit).rows)


def _has_index(filters: Filters) -> bool:
    """Whether an index of the table leads to few enough entries."""
    if filters.text or filters.about:
        return False
    person = filters.actor and not filters.actor.startswith("worker:")
    alone = filters.agent and not (filters.verb or filters.regions is not None or filters.segments is not None)
    return bool(filters.run or filters.subject or filters.account or filters.request or person or alone)


def _groups(filters: Filters) -> list[Group]:
    """What the index can say of it: one of each group's terms must be there. An empty group: nothing matches."""
    found: list[Group] = []
    for column in ("agent", "actor"):
        if value := getattr(filters, column):
            found.append(frozenset((f"{column}={value}",)))
    if filters.verb:
        found.append(frozenset(verbs(filters.verb)))
    for column in ("region", "segment", "agent"):
        if (values := getattr(filters, f"{column}s")) is not None:
            found.append(frozenset(f"{column}={value}" for value in values))
    if filters.within is not None:
        found.append(frozenset(f"{column}={value}" for column, values in filters.within.items() for value in values))
    return [*(group for group in found if len(group) <= WIDEST), *_said(filters)]


def _said(filters: Filters) -> list[Group]:
    """The groups that no column answers."""
    found = []
    if filters.about:
        found.append(frozenset(speaking_of(filters.about)))
    for word in sought(filters.text).words:
        named = (term for reference in filters.names.get(word, ()) for term in speaking_of(reference))
        found.append(frozenset((word, *named)))
    return found


class _Piece(NamedTuple):
    """Some entries that can match: a condition that holds for them alone, and their ids in the walk's order. `exact`:
    the index vouches for their terms."""

    clause: str
    params: list[Any]
    ids: list[UUID]
    exact: bool


def _listed(ids: list[UUID], *, exact: bool) -> _Piece:
    return _Piece("id = any(%s)", [ids], ids, exact)


@dataclass
class _Walk:
    """One walk through the record, towards the older or the newer entries."""

    filters: Filters
    groups: list[Group]
    older: bool
    said: list[Group] = field(init=False)
    phrases: tuple[tuple[str, ...], ...] = field(init=False)

    def __post_init__(self) -> None:
        self.said = _said(self.filters)
        self.phrases = sought(self.filters.text).phrases

    def page(self, start: UUID | None, limit: int, until: float) -> Found:
        found: list[Row] = []
        with connection.cursor() as cursor:
            for piece in self._pieces(cursor, start, limit):
                found += self._matching(piece)
                if len(found) >= limit:
                    break
                if piece.ids and time.monotonic() > until:
                    return Found(self._newest_first(found), piece.ids[-1])
        return Found(self._newest_first(found[:limit]))

    def _newest_first(self, found: list[Row]) -> list[Row]:
        return found if self.older else found[::-1]

    def _matching(self, piece: "_Piece") -> list[Row]:
        """Those of the piece that match, in the walk's order."""
        if not piece.ids:
            return []
        clauses, params = where(self.filters)
        if not piece.exact:
            hints, given = self._hints()
            clauses, params = [*clauses, *hints], [*params, *given]
        bounds = [piece.clause, "id >= %s and id <= %s"]
        given = [*piece.params, min(piece.ids), max(piece.ids)]
        rows = read(" and ".join([*bounds, *clauses]), [*given, *params], len(piece.ids))
        if self.said and not piece.exact:
            rows = [row for row in rows if self._has_terms(row)]
        if self.phrases:
            rows = [row for row in rows if self._has_phrases(row)]
        return sorted(rows, key=lambda row: (row.seq is None, row.seq or 0, row.id), reverse=self.older)

    def _hints(self) -> tuple[list[str], list[Any]]:
        """Conditions that spare reading most of what cannot have the words: a word stands in the bytes as it is, or
        these are not plain ASCII, or it comes from the verb's sentence."""
        clauses, params = [], []
        for word in sought(self.filters.text).words:
            if word.isascii() and not self.filters.names.get(word):
                clauses.append(_HINT)
                params += [word, saying(word)]
        return clauses, params

    def _has_terms(self, row: Row) -> bool:
        has = terms(row.verb, row.actor, row.subject, row.agent, row.region, row.segment, row.account, row.detail)
        return all(not group.isdisjoint(has) for group in self.said)

    def _has_phrases(self, row: Row) -> bool:
        said = [f" {' '.join(words_in(text))} " for text in texts(row.subject, row.account, row.detail)]
        return all(any(f" {' '.join(phrase)} " in text for text in said) for phrase in self.phrases)

    def _pieces(self, cursor: Any, start: UUID | None, limit: int) -> Iterator["_Piece"]:
        """What can match, in order. An entry that is sealed meanwhile is in one piece all the same."""
        unsealed, bound = self._position(cursor, start)
        waited: set[UUID] = set()
        if self.older:
            if unsealed:
                for ids in self._pending(cursor, start):
                    waited.update(ids)
                    yield _listed(ids, exact=False)
            edge, end = self._ends(cursor)
            top = end if bound is None else min(end, bound)
            for high in range(top, edge, -WINDOW):
                yield self._window(cursor, max(edge, high - WINDOW), high, waited)
            yield from self._indexed(cursor, 0, min(edge, top), limit)
            return
        edge, end = self._ends(cursor)
        low = end if unsealed and start else 0 if bound is None else bound + 1
        yield from self._indexed(cursor, low, edge, limit)
        for first in range(max(edge, low), end, WINDOW):
            yield self._window(cursor, first, min(end, first + WINDOW), waited)
        for ids in self._pending(cursor, start if unsealed else None):
            waited.update(ids)
            yield _listed(ids, exact=False)
        for first in range(end, self._ends(cursor)[1], WINDOW):
            yield self._window(cursor, first, first + WINDOW, waited)

    def _ends(self, cursor: Any) -> tuple[int, int]:
        """The number from which entries are not indexed yet, and the one that the next sealed entry gets."""
        cursor.execute(
            "select coalesce((select max(block) + 1 from audit_block), 0),"
            " coalesce((select max(seq) + 1 from audit_leaf), 0)"
        )
        blocks, end = cursor.fetchone()
        return blocks * BLOCK, end

    def _position(self, cursor: Any, start: UUID | None) -> tuple[bool, int | None]:
        """Whether `start` stands among the unsealed (or there is none), and its number; where there is no such entry,
        the number that comes next to it on the side that is walked to."""
        if start is None:
            return True, None
        cursor.execute("select from audit_pending where entry = %s", [start])
        if cursor.fetchone() is not None:
            return True, None
        cursor.execute("select seq, entry from audit_leaf where entry <= %s order by entry desc limit 1", [start])
        row = cursor.fetchone()
        if row is None:
            return False, 0 if self.older else None
        seq, entry = row
        return False, seq + 1 if self.older and entry != start else seq

    def _pending(self, cursor: Any, start: UUID | None) -> Iterator[list[UUID]]:
        sign, turn = ("<", "desc") if self.older else (">", "asc")
        while True:
            bound = f"where entry {sign} %s" if start else ""
            cursor.execute(
                f"select entry from audit_pending {bound} order by entry {turn} limit {WINDOW}",  # noqa: S608
                [start] if start else [],
            )
            ids = [row[0] for row in cursor.fetchall()]
            if ids:
                yield ids
            if len(ids) < WINDOW:
                return
            start = ids[-1]

    def _window(self, cursor: Any, low: int, high: int, waited: set[UUID]) -> "_Piece":
        turn = "desc" if self.older else "asc"
        cursor.execute(
            f"select entry from audit_leaf where seq >= %s and seq < %s order by seq {turn}",  # noqa: S608
            [low, high],
        )
        ids = [row[0] for row in cursor.fetchall()]
        if waited.intersection(ids):
            return _listed([id for id in ids if id not in waited], exact=False)
        return _Piece(
            "id in (select entry from audit_leaf where seq >= %s and seq < %s)", [low, high], ids, exact=False
        )

    def _indexed(self, cursor: Any, low: int, high: int, limit: int) -> Iterator["_Piece"]:
        """Indexed entries numbered from `low` up to `high` that have the terms."""
        first, last = self._bounds(cursor, low, high)
        piece: list[int] = []
        for block, hits in self._blocks(cursor, first, last):
            piece += [seq for seq in self._places(block, hits) if low <= seq < high]
            while len(piece) > limit:
                yield _listed(self._ids(cursor, piece[: limit + 1]), exact=True)
                piece = piece[limit + 1 :]
            if hits is None:
                if piece:
                    yield _listed(self._ids(cursor, piece), exact=True)
                piece = []
                end = block * BLOCK if self.older else (block + 1) * BLOCK - 1
                yield _listed(self._ids(cursor, [min(max(end, low), high - 1)]), exact=False)
        if piece:
            yield _listed(self._ids(cursor, piece), exact=True)

    def _ids(self, cursor: Any, seqs: list[int]) -> list[UUID]:
        cursor.execute("select seq, entry from audit_leaf where seq = any(%s)", [seqs])
        ids: dict[int, UUID] = dict(cursor.fetchall())
        return [ids[seq] for seq in seqs if seq in ids]

    def _places(self, block: int, hits: int | None) -> Iterator[int]:
        order = range(BLOCK - 1, -1, -1) if self.older else range(BLOCK)
        return (block * BLOCK + n for n in order if hits and hits >> n & 1)

    def _bounds(self, cursor: Any, low: int, high: int) -> tuple[int, int]:
        """The first and last block to look at: within the numbers, and with entries of the time asked for."""
        first, last = low // BLOCK, (high - 1) // BLOCK
        if self.filters.since:
            cursor.execute(
                "select block from audit_block where block >= %s and high >= %s order by block limit 1",
                [first, floor_id(self.filters.since)],
            )
            first = max((row[0] for row in cursor.fetchall()), default=last + 1)
        if self.filters.until:
            cursor.execute(
                "select block from audit_block where block <= %s and low < %s order by block desc limit 1",
                [last, floor_id(self.filters.until)],
            )
            last = max((row[0] for row in cursor.fetchall()), default=first - 1)
        return first, last

    def _blocks(self, cursor: Any, first: int, last: int) -> Iterator[tuple[int, int | None]]:
        """Blocks from `first` to `last` that have all groups, with the entries that do, in the walk's order; after a
        step that found none, how far it came, with None."""
        groups, listed = _flat(self.groups)
        probe = max(4, min(PROBE, 1024 // max(1, len(listed))))
        while first <= last:
            cursor.execute(_PROBE.format("desc" if self.older else "asc"), [groups, listed, first, last, probe])
            known: list[dict[int, int]] = [{} for _ in self.groups]
            reached: dict[tuple[int, str], list[int]] = {}
            for g, term, block, hits in cursor.fetchall():
                known[g][block] = known[g].get(block, 0) | bits(hits)
                reached.setdefault((g, term), []).append(block)
            cut: list[list[list[int]]] = [[] for _ in self.groups]
            for (g, _), blocks in reached.items():
                if len(blocks) >= probe:
                    cut[g].append(blocks)
            ends = [self._end(several, first, last) for several in cut]
            rarest = min(range(len(ends)), key=lambda g: ends[g] if self.older else -ends[g])
            end = ends[rarest]
            blocks = [block for block in known[rarest] if (block >= end if self.older else block <= end)]
            unsure = [b for b in blocks if any((b < e if self.older else b > e) for e in ends)]
            if unsure:
                self._complete(cursor, known, ends, unsure)
            some = False
            for block in sorted(blocks, reverse=self.older):
                hits = -1
                for found in known:
                    hits &= found.get(block, 0)
                if hits:
                    some = True
                    yield block, hits
            first, last = (first, end - 1) if self.older else (end + 1, last)
            if not some and first <= last:
                yield end, None

    def _end(self, cut: list[list[int]], first: int, last: int) -> int:
        """How far a group's blocks are known, where those of some of its terms go on beyond what was read."""
        if self.older:
            return max((min(blocks) for blocks in cut), default=first)
        return min((max(blocks) for blocks in cut), default=last)

    def _complete(self, cursor: Any, known: list[dict[int, int]], ends: Sequence[int], blocks: list[int]) -> None:
        """Look up, for those of `blocks` that lie beyond a group's end, what that group has there."""
        for g, end in enumerate(ends):
            beyond = [b for b in blocks if (b < end if self.older else b > end)]
            if not beyond:
                continue
            for block in beyond:
                known[g].pop(block, None)
            listed = list(self.groups[g])
            cursor.execute(_AT, [[g] * len(listed), listed, beyond])
            for _, block, hits in cursor.fetchall():
                known[g][block] = known[g].get(block, 0) | bits(hits)


def _flat(groups: Sequence[Group]) -> tuple[list[int], list[str]]:
    flat = [(g, term) for g, group in enumerate(groups) for term in sorted(group)]
    return [g for g, _ in flat], [term for _, term in flat]
