"""Searching the record: the index and the tail answer alike, whatever is asked, in pages without gap or repeat."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import transaction
from django.test import override_settings

from audit import search
from audit.entries import Line
from audit.ids import id_time, new_id
from audit.indexing import BLOCK
from audit.search import Filters, count_newer, look, sought
from audit.terms import terms, words_in
from tests.audit.searching import filler, found, index_all, seal, write

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Blocks as ever, but steps so small that a test meets many."""
    monkeypatch.setattr(search, "WINDOW", 7)
    monkeypatch.setattr(search, "PROBE", 4)


@pytest.fixture(scope="module")
def three_blocks(django_db_setup, django_db_blocker, tmp_path_factory):
    """Three indexed blocks, a few sealed entries beyond, a few unsealed ones; some of each are wanted, by place.

    Made once, in a transaction around those of all tests here.
    """
    lines = filler(3 * BLOCK + 40)
    wanted = [3, 900, BLOCK + 1, 3 * BLOCK - 1, 3 * BLOCK + 5, 3 * BLOCK + 33]
    for n in wanted:
        lines[n] = Line(
            "pause.set", f"pause:{n}", "person:7", "one", None, "emea/de", "smb", "Müller.example",
            detail={"why": "Too many COMPLAINTS about “Ärger”", "n": n},
        )  # fmt: skip
    with django_db_blocker.unblock(), override_settings(VAR=tmp_path_factory.mktemp("var")), transaction.atomic():
        ids = write(*lines[: 3 * BLOCK + 20])
        seal()
        assert index_all() == 3
        ids += write(*lines[3 * BLOCK + 20 :])
        yield ids, [ids[n] for n in reversed(wanted)]
        transaction.set_rollback(True)


ASKED = [
    {"text": "complaints"},
    {"text": "MÜLLER"},
    {"text": "muller arger"},
    {"text": '"many complaints"'},
    {"text": "paused"},
    {"verb": "pause."},
    {"verb": "pause.set"},
    {"verb": "pause.s"},
    {"regions": ["emea", "emea/de"]},
    {"segments": ["smb"]},
    {"agent": "one", "regions": ["emea/de"]},
    {"agents": ["one", "two"]},
    {"actor": "person:7", "text": "many"},
    {"about": "person:7"},
    {"about": "agent:one"},
    {"within": {"agent": ["one"], "region": ["apac"], "segment": []}},
    {"text": "ana", "names": {"ana": ["person:7"]}},
]


@pytest.mark.parametrize("filters", ASKED, ids=str)
def test_indexed_sealed_and_unsealed_entries_are_found_alike(three_blocks, filters):
    assert found(**filters) == three_blocks[1]


@pytest.mark.parametrize(
    "filters",
    [
        {"text": "nowhere"},
        {"text": "complaints nowhere"},
        {"text": '"complaints many"'},
        {"about": "person:70"},
        {"regions": []},
        {"within": {"agent": [], "region": [], "segment": []}},
        {"text": "complaints", "regions": ["amer"]},
    ],
    ids=str,
)
def test_what_lacks_one_condition_is_not_found(three_blocks, filters):
    assert found(**filters) == []


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("filters", [{"text": "complaints"}, {"verb": "pause."}], ids=str)
def test_pages_follow_each_other_both_ways(three_blocks, filters, size):
    _, wanted = three_blocks
    older, before = [], None
    while rows := look(Filters(**filters), before=before, limit=size).rows:
        older += [row.id for row in rows]
        before = rows[-1].id
    newer, after = [], UUID(int=0)
    while rows := look(Filters(**filters), after=after, limit=size).rows:
        newer = [row.id for row in rows] + newer
        after = rows[0].id
    assert older == newer == wanted


def test_common_words_come_newest_first_and_whole(three_blocks):
    ids, wanted = three_blocks
    plain = [id for id in reversed(ids) if id not in wanted]
    assert found(5000, text="play") == plain
    assert found(10, text="play") == plain[:10]
    assert count_newer(Filters(text="play"), than=plain[30]) == 30
    assert count_newer(Filters(text="play"), than=plain[-1]) == 100


def test_a_range_of_time_cuts_in_the_middle_of_a_block(three_blocks):
    ids, _ = three_blocks
    since, until = id_time(ids[500]), id_time(ids[2 * BLOCK])
    got = found(5000, text="play", since=since, until=until)
    expected = [row for row in found(5000, text="play") if since <= id_time(row) < until]
    assert got == expected
    assert found(text="play", since=id_time(ids[-1]) + timedelta(seconds=1)) == []


def test_patience_that_ran_out_says_how_far_it_came_and_loses_nothing(three_blocks):
    _, wanted = three_blocks
    got, before, turns = [], None, 0
    while True:
        rows, further = look(Filters(text="complaints"), before=before, limit=100, patience=-1)
        got += [row.id for row in rows]
        turns += 1
        if further is None:
            break
        before = further
    assert got == wanted
    assert turns > 3


@pytest.mark.parametrize(
    "text",
    ["x " * 10_000, "\0", "😀 😀", '"', '""', "'; drop table audit_entry; --", "%_\\", "ܴ" * 5000, "\ud800", "the of"],
    ids=repr,
)
def test_hostile_words_are_harmless(three_blocks, text):
    rows, further = look(Filters(text=text), limit=10, patience=60)
    assert further is None
    assert all(word in {"x"} or not rows for word in sought(text).words)
    assert len(sought(text).words) <= 12


def test_words_are_folded_and_ids_left_out():
    assert words_in("Zürich ACME-12 “Straße” the café") == ["zurich", "acme", "12", "strasse", "cafe"]
    assert words_in("run 01890000-0000-7000-8000-00000000000a of deadbeefdeadbeefdeadbeef") == ["run"]
    found = terms("x.y", "person:7", f"action:{new_id()}", "a", "", "", "contact:" + "ab" * 16, {
        "mail": {"sealed": "c2VjcmV0", "of": "ab" * 16}, "status": 503, "pause": 12, "play": "warm-intro@3",
        "list": ["deep", {"er": "down"}], "long": "word " * 5000,
    })  # fmt: skip
    assert {"@person:7", "@pause:12", "@play:warm-intro", "503", "deep", "down", "verb=x.", "agent=a"} <= found
    assert not any("c2VjcmV0".lower() in term or "ab" * 16 in term for term in found)
