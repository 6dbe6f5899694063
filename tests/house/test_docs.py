"""The docs name only what is there: links, files, functions, settings."""

import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from tests.house.tree import ROOT, files

DOCS = sorted(path for path in files() if path.suffix == ".md")
ROOMS = ("console", "agents", "approvals", "audit", "tests", "bench")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
QUOTED = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"[\w./-]+\.(?:py|md|css|js|html|sh|txt|toml)")
FOLDER = re.compile(rf"(?:{'|'.join(ROOMS)}|docs|templates|static)/(?:[\w.-]+/)*")
FUNCTION = re.compile(rf"(?:{'|'.join(ROOMS)})(?:\.\w+)+")
SETTING = re.compile(r'"((?:SIGNALBOX_\w+|PORT|(?:DATABASE|DATABASE_OWNER|REDIS)_URL))"')
MADE = "var/"
"""What is there once Signalbox has run."""
READER = "console/env.py"
"""What reads settings from the environment."""


@cache
def prose(doc: Path) -> str:
    """The document without its blocks of code."""
    return FENCE.sub("", (ROOT / doc).read_text())


def quoted(doc: Path, pattern: re.Pattern[str]) -> list[str]:
    return [text for text in QUOTED.findall(prose(doc)) if pattern.fullmatch(text)]


def anchors(doc: Path) -> set[str]:
    """As forges make them of headings."""
    headings = re.findall(r"^#+ (.+)$", prose(doc), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_there_are_docs():
    assert {Path("README.md"), Path("CONTRIBUTING.md"), Path("docs/configuration.md")} <= set(DOCS)


@pytest.mark.parametrize("doc", DOCS, ids=str)
def test_every_relative_link_leads_somewhere(doc):
    for link in LINK.findall(prose(doc)):
        target, _, anchor = link.partition("#")
        if "://" in link:
            continue
        path = (ROOT / doc.parent / target).resolve() if target else ROOT / doc
        assert path.exists(), f"{doc} links to {link}"
        assert not anchor or anchor in anchors(path.relative_to(ROOT)), f"{doc} links to {link}: no such heading"


@pytest.mark.parametrize("doc", DOCS, ids=str)
def test_every_file_named_is_there(doc):
    names = {path.name for path in files()}
    for name in quoted(doc, FILE):
        if name.startswith(MADE):
            continue
        there = (ROOT / name).is_file() or (ROOT / "templates" / name).is_file() or ("/" not in name and name in names)
        assert there, f"{doc} names {name}"


@pytest.mark.parametrize("doc", DOCS, ids=str)
def test_every_folder_named_is_there(doc):
    for name in quoted(doc, FOLDER):
        assert (ROOT / name).is_dir(), f"{doc} names {name}"


@pytest.mark.parametrize("doc", DOCS, ids=str)
def test_every_function_named_is_there(doc):
    for name in quoted(doc, FUNCTION):
        assert is_there(name), f"{doc} names {name}"


def is_there(name: str) -> bool:
    """Whether `name` is a module, or something in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def test_the_way_names_its_functions():
    way = quoted(Path("docs/the-way-of-one-signal.md"), FUNCTION)
    for step in ("intake.receive", "decide.decide", "gate.gate", "settle.settle", "watchdog.sweep", "seal.run"):
        assert any(name.endswith(f".{step}") for name in way), step


def test_every_setting_is_in_the_docs():
    text = (ROOT / "docs/configuration.md").read_text()
    settings = set(SETTING.findall((ROOT / READER).read_text()))
    assert settings
    assert [name for name in sorted(settings) if f"| `{name}` |" not in text] == []


def test_every_setting_in_the_docs_is_one():
    table = re.findall(r"^\| `([A-Z][A-Z_]+)` \|", (ROOT / "docs/configuration.md").read_text(), re.MULTILINE)
    assert set(table) == set(SETTING.findall((ROOT / READER).read_text()))


def test_every_check_of_a_setting_is_in_the_docs():
    code = (ROOT / "console/env.py").read_text() + (ROOT / "console/checks.py").read_text()
    numbers = {int(n) for n in re.findall(r"(?:wrong\(|\w+\(reader, |reader\.\w+\()\s*(\d+)", code)}
    numbers |= {int(n) for n in re.findall(r'"signalbox\.E(\d+)"', code)}
    text = (ROOT / "docs/configuration.md").read_text()
    assert len(numbers) > 15
    assert [number for number in sorted(numbers) if f"E{number:03}" not in text] == []
