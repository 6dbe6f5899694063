"""Proofs to take away, held against attestroot, another implementation of RFC 6962, and against its definition."""

from base64 import b64decode

import pytest
from attestroot import merkle as attestroot
from django.db import connection, transaction

from agents.changes.grant import give
from audit import checkpoints, keys, seal, standalone, witness
from audit.entries import Line, record
from audit.models import Checkpoint, Entry, Leaf
from tests import making
from tests.audit.rfc6962 import consistency

pytestmark = pytest.mark.usefixtures("workspace")


@pytest.fixture
def auditor(person):
    return person("Charlie", role="auditor")


def seal_more(*sizes):
    """So many entries, and a checkpoint after each."""
    with seal.direct_connection() as conn:
        frontier, signer = seal.load_frontier(conn), keys.signer(conn)
        for size in sizes:
            with transaction.atomic():
                ids = record(*(Line("play.changed", f"play:{n}", "cli", detail={"n": n}) for n in range(size)))
            while seal.seal_batch(conn, frontier, signer)[0]:
                pass
    return ids, signer.verifier


def parts(answer):
    """The lines before the note, its hashes among them, and the note."""
    head, _, note = answer.content.decode().partition("\n\n")
    return head.split("\n"), note


def test_an_entrys_proof_is_read_by_another_tool(client, auditor):
    ids, verifier = seal_more(300, 77)
    client.force_login(auditor)
    for id_ in (ids[0], ids[50], ids[76]):
        assert f"/audit/{id_}/proof" in client.get(f"/audit/{id_}").content.decode()
        answer = client.get(f"/audit/{id_}/proof")
        (kind, extra, index, *hashes), note = parts(answer)
        assert kind == "c2sp.org/tlog-proof@v1"
        body = b64decode(extra.removeprefix("extra "))
        assert body == bytes(Entry.objects.get(pk=id_).body)
        said, seq = checkpoints.verify(note, [verifier]), int(index.removeprefix("index "))
        path = [b64decode(one) for one in hashes]
        assert attestroot.verify_inclusion(attestroot.leaf_hash(body), seq, said.size, path, said.root)
        assert not attestroot.verify_inclusion(attestroot.leaf_hash(body + b" "), seq, said.size, path, said.root)
        assert f'filename="entry-{seq}.tlog-proof"' in answer["Content-Disposition"]


def test_the_proof_that_the_record_only_grew_is_as_the_rfc_has_it(client, auditor):
    _, verifier = seal_more(3, 300, 77)
    client.force_login(auditor)
    notes = {one.size: checkpoints.verify(one.note, [verifier]) for one in Checkpoint.objects.all()}
    leaves = [bytes(leaf) for leaf in Leaf.objects.order_by("seq").values_list("hash", flat=True)]
    sizes = sorted(notes)
    assert len(sizes) >= 3
    for old, new in ((sizes[0], None), (sizes[0], sizes[1]), (sizes[1], sizes[-1]), (sizes[-1], None)):
        answer = client.get("/audit/consistency", {"old": old, **({"new": new} if new else {})})
        (said_old, *hashes), note = parts(answer)
        said = checkpoints.verify(note, [verifier])
        assert (said_old, said.size) == (f"old {old}", new or sizes[-1])
        path = [b64decode(one) for one in hashes if one]
        assert path == consistency(leaves[: said.size], old)
        assert attestroot.root_from_leaf_hashes(leaves[:old]) == notes[old].root
        assert attestroot.root_from_leaf_hashes(leaves[: said.size]) == said.root


def test_a_witness_takes_the_file_as_it_is(client, auditor, tmp_path):
    _, verifier = seal_more(3, 300)
    client.force_login(auditor)
    old = Checkpoint.objects.earliest("size")
    vkey = witness.make_key(tmp_path, "witness.example/one")
    watching = witness.Witness(tmp_path, [standalone.Key(verifier.vkey)])
    assert watching.add(f"old 0\n\n{old.note}".encode()).status == 200
    answer = watching.add(client.get("/audit/consistency", {"old": old.size}).content)
    assert answer.status == 200
    newest = Checkpoint.objects.latest("size")
    with connection.cursor() as cursor:
        row = [newest.size, "witness.example/one", answer.body]
        cursor.execute("INSERT INTO audit_cosignature (size, witness, line) VALUES (%s, %s, %s)", row)
    seal_more(5)
    for address in (f"/audit/consistency?old={old.size}", f"/audit/{Entry.objects.earliest('id').pk}/proof"):
        _, note = parts(client.get(address))
        assert standalone.Key(vkey).signed(standalone.Note(note)), "of several checkpoints that which is co-signed"
    last = Checkpoint.objects.latest("size").size
    (_, *_), note = parts(client.get("/audit/consistency", {"old": last}))
    assert checkpoints.verify(note, [verifier]).size == last, "where none is co-signed that is new enough, the newest"


def test_what_cannot_be_proven_says_why(client, auditor):
    client.force_login(auditor)
    (waiting,) = write_one()
    assert client.get(f"/audit/{waiting}/proof").status_code == 409
    assert client.get("/audit/01890000-0000-7000-8000-000000000000/proof").status_code == 404
    for asked in ({}, {"old": "many"}, {"old": 0}, {"old": 2**80}, {"old": 7, "new": 3}):
        assert client.get("/audit/consistency", asked).status_code == 422, asked
    (id_, *_), _ = seal_more(300)
    last = Checkpoint.objects.latest("size").size
    told = client.get("/audit/consistency", {"old": 1, "new": last + 1})
    assert told.status_code == 422
    assert f"over {last:,}" in told.content.decode()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_leaf DISABLE TRIGGER USER")
        cursor.execute("UPDATE audit_leaf SET hash = sha256('x') WHERE entry = %s", [id_])
    assert client.get(f"/audit/{id_}/proof").status_code == 409
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_tile DISABLE TRIGGER USER")
        cursor.execute("DELETE FROM audit_tile")
        cursor.execute("DELETE FROM audit_leaf WHERE seq = 2")
    assert client.get("/audit/consistency", {"old": 1}).status_code == 409


def test_a_proof_that_leads_elsewhere_is_not_given_away(client, auditor):
    seal_more(3, 300, 40)
    client.force_login(auditor)
    old, *_, newest = Checkpoint.objects.order_by("size")
    assert client.get("/audit/consistency", {"old": old.size}).status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_leaf DISABLE TRIGGER USER")
        cursor.execute("UPDATE audit_leaf SET hash = sha256('x') WHERE seq = %s", [newest.size - 1])
        assert client.get("/audit/consistency", {"old": old.size}).status_code == 409
        cursor.execute("ALTER TABLE audit_checkpoint DISABLE TRIGGER USER")
        cursor.execute("UPDATE audit_checkpoint SET note = replace(note, %s, %s)", [f"\n{newest.size}\n", "\n7\n"])
    assert client.get("/audit/consistency", {"old": newest.size}).status_code == 409


def test_who_sees_a_part_gets_the_proofs_of_that_part_only(client, person):
    one, _ = seal_more(3)
    (mine,) = write_one()
    seal_more(2)
    reader = person("Rita", role="rep", everywhere=False)
    give(reader, on=making.region("emea"), verbs=["see"], why="test", actor="cli")
    client.force_login(reader)
    assert client.get(f"/audit/{mine}/proof").status_code == 200
    assert client.get(f"/audit/{one[0]}/proof").status_code == 404
    assert client.get("/audit/consistency", {"old": 1}).status_code == 403
    assert "consistency" not in client.get(f"/audit/{mine}").content.decode()
    assert "consistency" not in client.get("/audit").content.decode()


def write_one():
    with transaction.atomic():
        return record(Line("region.changed", f"region:{making.region('emea').code}", "cli", region="emea"))
