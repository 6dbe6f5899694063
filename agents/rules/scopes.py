"""Region and segment codes are paths in a tree: "emea/de" lies beneath "emea"."""

from __future__ import annotations

from functools import lru_cache

UNASSIGNED = "unassigned"


@lru_cache(maxsize=4096)
def lineage(code: str | None) -> tuple[str, ...]:
    """The code with all above it, highest first: "emea/de" → ("emea", "emea/de"). None is ("unassigned",)."""
    if not code:
        return (UNASSIGNED,)
    parts = code.split("/")
    return tuple("/".join(parts[: depth + 1]) for depth in range(len(parts)))


def covers(scope: str, code: str | None) -> bool:
    """Whether `code` is `scope` itself or lies beneath it."""
    return scope in lineage(code)
