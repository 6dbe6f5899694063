"""Reading files: what can be read is, and what cannot is named by file, line and mend."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from agents.loop.intake import external_hash
from agents.loop.sources import KnownSource, Scopes, SourceRow
from console.engines import ports
from console.replay.events import Ending, Maker, parse_ending
from console.replay.rows import BadLine, FileFault, Row, check, look
from tests import making


def read(tmp_path, content: str | bytes, name: str = "some.csv", **options):
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return look(path, **options)


def test_csv_rows_keep_their_lines_and_leave_empty_cells_out(tmp_path):
    file = read(tmp_path, '\ufeffid,name,text\r\n1,Ann,"two\r\nlines"\r\n\r\n2, ,last\r\n')
    assert list(file.rows()) == [
        Row(2, {"id": "1", "name": "Ann", "text": "two\r\nlines"}),
        Row(5, {"id": "2", "text": "last"}),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path, delimiter):
    file = read(tmp_path, f"id{delimiter}name\n1{delimiter}Ann\n")
    assert list(file.rows()) == [Row(2, {"id": "1", "name": "Ann"})]


@pytest.mark.parametrize("name", ["some.ndjson", "some.jsonl", "some.txt"])
def test_ndjson_rows_keep_their_lines(tmp_path, name):
    file = read(tmp_path, '{"id": 1}\n\n{"id": 2, "deep": {"a": [1]}}\n', name)
    assert list(file.rows()) == [Row(1, {"id": 1}), Row(3, {"id": 2, "deep": {"a": [1]}})]


def test_another_encoding_is_read_when_named(tmp_path):
    assert list(read(tmp_path, "id,name\n1,Zoë\n".encode("cp1252"), encoding="cp1252").rows()) == [
        Row(2, {"id": "1", "name": "Zoë"})
    ]
    assert list(read(tmp_path, "id,name\n1,Zoë\n".encode("utf-16"), encoding="utf-16").rows()) == [
        Row(2, {"id": "1", "name": "Zoë"})
    ]


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        ("id,name\n1,Ann\n2\n", 3, "1 cells"),
        ("id,name\n1,Ann,Lee\n", 2, "Quote a cell"),
        ('id,name\n1,Ann\n2,"Bob\n3,Eve\n', 3, "If a quote opens here, close it"),
        ('id,name\n1,"Ann"Lee\n', 2, "not CSV"),
        ("id,name\n1,Zoë\n".encode("cp1252"), 2, "--encoding"),
    ],
)
def test_a_bad_line_of_csv_is_named(tmp_path, content, line, says):
    _, bad = check(read(tmp_path, content))
    assert [one.line for one in bad] == [line]
    assert says in bad[0].what


@pytest.mark.parametrize(
    ("text", "says"),
    [('{"id": 1', "not JSON"), ("[1]", "no object"), ('{"id": NaN}', "not JSON"), ("\udcff", "not UTF-8")],
)
def test_a_bad_line_of_ndjson_is_named(tmp_path, text, says):
    content = b'{"id": 1}\n' + text.encode(errors="surrogateescape") + b'\n{"id": 2}\n'
    rows = list(read(tmp_path, content, "some.ndjson").rows())
    assert [type(row) for row in rows] == [Row, BadLine, Row]
    assert rows[1].line == 2
    assert says in rows[1].what


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        ("id,name\n", "no row"),
        ("id,,name\n1,2,3\n", "column 2 has no name"),
        ("id,id\n1,2\n", "two columns are named 'id'"),
        (b"PK\x03\x04rest of a spreadsheet", "no text"),
        ("id,name\n1,2\n".encode("utf-16"), "utf-16"),
    ],
)
def test_a_bad_file_is_named(tmp_path, content, says):
    with pytest.raises(FileFault, match=says) as fault:
        check(read(tmp_path, content))
    assert "some.csv" in str(fault.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileFault, match="There is no file"):
        look(tmp_path / "none.csv")
    with pytest.raises(FileFault, match="cannot be read"):
        look(tmp_path)


def maker(mapping: str = "{}", **more) -> Maker:
    row = SourceRow(7, "web", "key", "", False, mapping, 0, True, False)
    return Maker(KnownSource(row, Scopes({"unassigned": 1}, {"unassigned": 1})), "some.csv", **more)


def test_the_id_is_the_mappings_else_made_of_file_and_line():
    assert maker().event(Row(9, {"id": "a", "account": "x"})).id == "a"
    made = maker().event(Row(9, {"account": "x"}))
    assert (made.id, made.body) == ("some.csv#9", {"account": "x", "id": "some.csv#9"})
    assert made.hash == external_hash(7, "some.csv#9")
    assert maker(id_column="Order").event(Row(9, {"Order": 12, "account": "x"})).id == "12"
    assert maker('{"id": "number"}').event(Row(9, {"number": 5, "account": "x"})).id == "5"


def test_a_row_that_would_be_a_dead_letter_says_why():
    event = maker('{"id": "number"}').event(Row(9, {"name": "x"}))
    assert (event.id, event.hash) == ("", b"")
    assert "No id found" in event.trouble
    assert "No account found" in event.trouble


def test_outcomes_are_told_by_a_column():
    assert parse_ending("Revenue=TRUE") == Ending("revenue", "Revenue", "TRUE")
    assert parse_ending("sale:Order Total=1 000", worth="Sum").kind == "sale"
    told = maker(endings=(Ending("revenue", "Revenue", "true", "Sum"),))
    row = Row(2, {"account": "x", "Revenue": "TRUE", "Sum": "12.50"})
    event = told.event(row)
    assert event.body == {"account": "x", "id": "some.csv#2"}
    assert told.outcomes(row, event) == [{"signal": "some.csv#2", "kind": "revenue", "value": "12.50"}]
    assert told.outcomes(Row(3, {"account": "x", "Revenue": "FALSE"}), event) == []
    for wrong in ("Revenue", "=TRUE", "Revenue=", "::="):
        with pytest.raises(ValueError, match="is no outcome"):
            parse_ending(wrong)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"source": "elsewhere"}, "There is no source 'elsewhere'. There is: web"),
        ({"key": "wrong"}, "No source has that key"),
        ({"batch": 0}, "--batch"),
        ({"outcome": ["Revenue"]}, "is no outcome"),
        ({"outcome": ["Bought=1"]}, "has no column 'Bought'. It has: id, name"),
        ({"id": "number"}, "has no column 'number'"),
        ({"encoding": "utf-99"}, "no encoding"),
        ({"url": "ftp://here"}, "is no address"),
    ],
)
def test_a_wrong_option_is_named(tmp_path, options, says):
    making.source()
    path = tmp_path / "some.csv"
    path.write_text("id,name\n1,Ann\n")
    with pytest.raises(CommandError, match=says):
        call_command("replay", str(path), stderr=StringIO(), **options)


@pytest.mark.django_db
def test_bad_lines_stop_it_before_anything_is_sent(tmp_path):
    making.source()
    path = tmp_path / "some.csv"
    path.write_text("id,name\n1,Ann\n2\n")
    with pytest.raises(CommandError) as fault:
        call_command("replay", str(path))
    assert f"{path}, line 3:" in str(fault.value)
    assert "--skip-bad" in str(fault.value)


@pytest.mark.django_db
def test_a_server_that_does_not_answer_is_named(tmp_path):
    making.source()
    path = tmp_path / "some.csv"
    path.write_text("id,account\n1,Ann\n")
    url = f"http://127.0.0.1:{ports.free_port()}"
    with pytest.raises(CommandError, match=f"{url} does not take signals.*make run"):
        call_command("replay", str(path), url=url, stdout=StringIO(), stderr=StringIO())
