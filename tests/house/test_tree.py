"""House rules: what the tree looks like, and what does not stand in it."""

import re
from pathlib import Path

import pytest

from tests.house.tree import ROOT, files

LONGEST = 400
LONGER: dict[str, str] = {"audit/standalone.py": "handed over alone, so it is one file"}
"""Files over LONGEST lines, each with why. One that is no longer over it must leave the list."""
TOP = {
    *(".ci", ".gitignore", "CONTRIBUTING.md", "Makefile", "README.md", "manage.py", "pyproject.toml"),
    *("requirements.txt", "console", "agents", "approvals", "audit", "templates", "static", "docs", "tests", "bench"),
}
TEXT = {".py", ".html", ".css", ".js", ".md", ".txt", ".toml", ".sh", ".svg", ""}
WRITTEN = {".py", ".html", ".css", ".js"}
NOT_YET = re.compile(r"\b(?:TO" r"DO|FIX" r"ME)\b")
BARE = re.compile(r"#\s*(?:type:\s*ignore(?!\[)|noqa(?!: [A-Z]))")
ELSEWHERE = re.compile(r"(?<![\w.~])/(?:work|root|home)/\w")
FOREIGN_NAME = re.compile(r"\.min\.|htmx|jquery|alpine|bootstrap|tabler|chart|uplot|lucide|vendor", re.IGNORECASE)
FOREIGN_TEXT = re.compile(r"/\*!|@licen[cs]e|copyright|sourceMappingURL|https?://(?!www\.w3\.org/)", re.IGNORECASE)


def read(path: Path) -> str:
    return (ROOT / path).read_text(errors="replace")


def of(*suffixes: str) -> list[Path]:
    found = [path for path in files() if path.suffix in suffixes]
    assert found
    return found


def test_the_top_is_as_expected():
    assert {path.parts[0] for path in files()} == TOP


def test_no_file_is_too_long():
    long = {str(path) for path in of(*WRITTEN, ".md") if read(path).count("\n") > LONGEST}
    assert long == set(LONGER), "split it by its ideas, or list it with why"


def test_nothing_is_put_off():
    assert [str(path) for path in of(*TEXT) if NOT_YET.search(read(path))] == []


def test_what_is_ignored_names_its_code():
    lines = [f"{path}: {line.strip()}" for path in of(".py") for line in read(path).splitlines() if BARE.search(line)]
    assert lines == []


def test_no_path_of_some_machine():
    assert [str(path) for path in of(*TEXT) if ELSEWHERE.search(read(path))] == []


@pytest.mark.parametrize("path", [path for path in files() if path.parts[0] == "static"], ids=str)
def test_static_is_ours(path):
    assert path.suffix in {".css", ".js", ".svg", ".png", ".ico"}
    assert not FOREIGN_NAME.search(path.name)
    if path.suffix in {".css", ".js", ".svg"}:
        text = read(path)
        assert not FOREIGN_TEXT.search(text)
        assert max(map(len, text.splitlines())) <= 400, "minified"


def test_every_module_says_what_it_is():
    """Tests, migrations and empty `__init__.py` do without."""
    silent = [
        str(path)
        for path in of(".py")
        if not {"tests", "migrations"} & set(path.parts) and not re.match(r'(?:#!.*\n)?r?"""|\s*\Z', read(path))
    ]
    assert silent == []


def test_requirements_are_pinned():
    loose = [
        line
        for line in read(Path("requirements.txt")).splitlines()
        if line and not line.startswith("#") and not re.fullmatch(r"[\w.-]+(?:\[[\w,]+\])?==[\w.]+", line)
    ]
    assert loose == []
