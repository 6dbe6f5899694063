import pytest

from audit import checkpoints
from audit.checkpoints import Checkpoint, CheckpointError
from audit.keys import Signer

ROOT = bytes(range(32))
SIGNER = Signer.make("signalbox/test")
OTHER = Signer.make("signalbox/test")


def test_a_checkpoint_is_signed_read_and_verified():
    note = checkpoints.sign(SIGNER, 20852163, ROOT)
    assert note.startswith(
        "signalbox/test\n20852163\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n— signalbox/test "
    )
    assert note.endswith("\n")
    assert checkpoints.verify(note, [OTHER.verifier, SIGNER.verifier]) == Checkpoint("signalbox/test", 20852163, ROOT)


def test_the_specifications_own_example_is_read():
    note = (
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "— example.com/behind-the-sofa "
        "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    )
    stated = checkpoints.parse(note)
    assert stated.size == 20852163
    assert len(stated.root) == 32


def test_signatures_of_others_are_passed_over_but_one_known_must_hold():
    note = checkpoints.sign(SIGNER, 1, ROOT)
    witness = checkpoints.sign(OTHER, 1, ROOT).splitlines(keepends=True)[-1]
    assert checkpoints.verify(note + witness, [SIGNER.verifier]).size == 1
    with pytest.raises(CheckpointError, match="no known key"):
        checkpoints.verify(note, [OTHER.verifier])


@pytest.mark.parametrize("change", [("\n1\n", "\n2\n"), ("signalbox/test\n1", "signalbox/tess\n1"), ("AAEC", "AAED")])
def test_a_changed_checkpoint_is_refused(change):
    with pytest.raises(CheckpointError):
        checkpoints.verify(checkpoints.sign(SIGNER, 1, ROOT).replace(*change, 1), [SIGNER.verifier])


@pytest.mark.parametrize("note", ["", "a\n1\n", "a\n01\n" + "A" * 43 + "=\n\n— a b\n", "a\n1\nAAA=\n\n— a b\n"])
def test_what_is_no_checkpoint_is_refused(note):
    with pytest.raises(CheckpointError):
        checkpoints.parse(note)


def test_the_file_outside_gives_back_what_was_written(tmp_path):
    path = tmp_path / "checkpoints.log"
    assert list(checkpoints.read_outside(path)) == []
    assert checkpoints.last_outside(path) is None
    notes = [checkpoints.sign(SIGNER, size, ROOT) for size in (1, 5, 900)]
    for note in notes:
        checkpoints.write_outside(path, note)
    assert list(checkpoints.read_outside(path)) == notes
    assert checkpoints.last_outside(path).size == 900


def test_a_long_file_is_read_from_where_sizes_grow_beyond_what_is_asked(tmp_path):
    path = tmp_path / "checkpoints.log"
    notes = [checkpoints.sign(SIGNER, size, ROOT) for size in range(10, 4_010, 10)]
    path.write_text("".join(f"{note}\n" for note in notes))
    for after in (0, 5, 10, 15, 1_995, 2_000, 3_990, 4_000, 9_999):
        read = list(checkpoints.read_outside(path, after=after))
        assert read == notes[len(notes) - len(read) :]
        left_out = notes[: len(notes) - len(read)]
        assert all(checkpoints.parse(note).size <= after for note in left_out)
        assert sum(checkpoints.parse(note).size <= after for note in read) < 200


def test_a_write_torn_anywhere_by_a_crash_costs_that_note_alone(tmp_path):
    first, torn, last = (checkpoints.sign(SIGNER, size, ROOT) for size in (1, 2, 3))
    for cut in range(1, len(torn.encode()) + 1):
        path = tmp_path / f"{cut}.log"
        checkpoints.write_outside(path, first)
        with path.open("ab") as file:
            file.write(torn.encode()[:cut])
        checkpoints.write_outside(path, last)
        read = list(checkpoints.read_outside(path))
        assert read == ([first, last] if cut < len(torn.encode()) else [first, torn, last])
        assert checkpoints.last_outside(path).size == 3
