"""Exports: what the filter shows, each an entry before its first byte, proven by the standalone program."""

import csv
import io
import json
import subprocess
import sys

import pytest

from agents.changes import grant as grants
from audit.entries import Line
from audit.models import Entry, Leaf
from console.views.filter_noted import NOT_KEPT
from tests import making
from tests.pages.test_audit import seal_all, world, write  # noqa: F401
from tests.running import ROOT

FORMS = ("csv", "ndjson", "html", "pdf")
NASTY = ["<script>alert(1)</script>", "#panic() $x$ *b* `r` \\ @ref <a>", "Müller 😀 שלום", "a" * 3000]


def taken(client, form, **filters):
    return b"".join(client.get(f"/audit/export.{form}", filters).streaming_content)


@pytest.fixture
def ids(world):  # noqa: F811
    ids = write(*(Line("play.changed", f"play:p-{n}", "cli", detail={"why": text}) for n, text in enumerate(NASTY)))
    write(Line("region.changed", "region:emea", "cli", region="emea"))
    seal_all()
    return ids


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_written_down_before_it_leaves(ids, client, charlie, form):
    client.force_login(charlie)
    answer = client.get(f"/audit/export.{form}", {"verb": "play.", "q": "panic"})
    told = Entry.objects.get(verb="record.exported")
    assert told.actor == charlie.actor
    assert json.loads(bytes(told.body))["detail"] == {"filter": {"q": NOT_KEPT, "verbs": "play.*"}, "format": form}
    assert b"".join(answer.streaming_content)


def test_whoever_was_looked_for_stands_in_the_file_and_not_in_the_record(ids, client, charlie):
    client.force_login(charlie)
    typed = ["q", "account", "about", "subject", "actor", "agent", "request", "verb", "region"]
    for place, text in [(place, "kim@acme.example") for place in typed] + [
        ("about", "contact:Kim Lee"), ("subject", "person:kim@acme.example"), ("verb", "kim@acme.example."),
    ]:  # fmt: skip
        header = json.loads(taken(client, "ndjson", **{place: text}).splitlines()[0])
        assert text in json.dumps(header["filter"])
        told = Entry.objects.filter(verb="record.exported").latest("id")
        assert list(json.loads(bytes(told.body))["detail"]["filter"].values()) == [NOT_KEPT], place


def test_what_is_known_here_stays_in_the_entry_of_an_export(ids, world, client, charlie):  # noqa: F811
    client.force_login(charlie)
    world.ask()
    given = {
        "agent": "inbound-intent", "actor": charlie.actor, "subject": "record:all", "about": f"contact:{'ab' * 16}",
        "account": "acme.example", "verb": "play.changed", "request": "0123456789abcdef01234567",
    }  # fmt: skip
    taken(client, "csv", **given, region="emea/de")
    told = Entry.objects.get(verb="record.exported")
    assert json.loads(bytes(told.body))["detail"]["filter"] == {**given, "regions": ["emea/de"]}


def test_an_export_names_no_region_that_its_reader_does_not_see(ids, client, person):
    ada, rita = person("Ada", role="admin"), person("Rita", role="rep", everywhere=False)
    grants.give(rita, on=making.region("emea/de"), verbs=["approve"], why="Hers.", actor=ada.actor, by=ada)
    making.region("emea/secret")
    for reader, named in ((rita, "emea/*"), (ada, ["emea", "emea/de", "emea/fr", "emea/secret"])):
        client.force_login(reader)
        lines = taken(client, "ndjson", region="emea")
        told = Entry.objects.filter(verb="record.exported").latest("id")
        for said in (json.loads(lines.splitlines()[0]), json.loads(bytes(told.body))["detail"]):
            regions = said["filter"]["regions"]
            assert (regions if isinstance(regions, str) else sorted(regions)) == named


def test_the_table_has_number_leaf_and_checkpoint(ids, client, charlie):
    client.force_login(charlie)
    rows = list(csv.DictReader(io.StringIO(taken(client, "csv", verb="play.changed").decode())))
    assert [row["id"] for row in rows] == [str(id) for id in reversed(ids)]
    leaves = {str(leaf.entry): leaf for leaf in Leaf.objects.all()}
    for row in rows:
        assert int(row["number"]) == leaves[row["id"]].seq
        assert row["leaf"] == bytes(leaves[row["id"]].hash).hex()
        assert row["checkpoint"].split()[0] == str(Leaf.objects.count())


def test_the_proof_holds_without_us_and_one_byte_changed_is_named(ids, client, charlie, tmp_path):
    client.force_login(charlie)
    lines = taken(client, "ndjson", verb="play.changed")
    path, tool = tmp_path / "record.ndjson", tmp_path / "verify.py"
    tool.write_bytes(b"".join(client.get("/audit/verifier").streaming_content))

    def checked(data):
        path.write_bytes(data)
        return subprocess.run([sys.executable, "-I", tool, path], capture_output=True, text=True, cwd=tmp_path)

    assert checked(lines).returncode == 0, checked(lines).stdout
    assert sum(b'"body"' in line for line in lines.splitlines()) == len(ids)
    broken = checked(lines.replace(b"panic", b"picnic"))
    assert broken.returncode == 1
    assert str(ids[1]) in broken.stdout + broken.stderr


def test_the_work_record_is_whole_on_its_own_and_runs_nothing(ids, client, charlie):
    client.force_login(charlie)
    text = taken(client, "html", verb="play.changed").decode()
    assert text.startswith("<!doctype html>")
    assert text.rstrip().endswith("</html>")
    assert "<script" not in text
    assert "http" not in text.split("<main>")[1]
    assert text.count('<li id="entry-') == len(ids)
    assert "4 entries." in text
    assert bytes(Leaf.objects.get(entry=ids[0]).hash).hex() in text
    assert "play.changed" in text
    assert "UTC by Charlie" in text


def test_the_pdf_opens_whatever_is_in_it(ids, client, charlie):
    client.force_login(charlie)
    assert taken(client, "pdf", verb="play.changed").startswith(b"%PDF-")
    assert taken(client, "pdf", q="nowhere").startswith(b"%PDF-")


def test_the_page_offers_every_form_of_this_filter(ids, client, charlie):
    client.force_login(charlie)
    text = client.get("/audit/export", {"verb": "play.changed"}).content.decode()
    for form in FORMS:
        assert f"/audit/export.{form}?verb=play.changed" in text
    assert client.get("/audit/export.exe").status_code == 404
    assert client.get("/audit/export", {"run": "x"}).status_code == 422
    assert (ROOT / "audit/standalone.py").read_bytes() == b"".join(client.get("/audit/verifier").streaming_content)
