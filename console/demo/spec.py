"""Short ways to write scorecards and conditions down."""

from typing import Any


def fact(field: str, op: str, value: Any) -> dict[str, Any]:
    """A condition on one fact."""
    return {"field": field, "op": op, "value": value}


def criterion(key: str, label: str, kind: str, weight: int, condition: dict[str, Any]) -> dict[str, Any]:
    """A weighted criterion of a scorecard."""
    return {"key": key, "label": label, "kind": kind, "weight": weight, "condition": condition}


_FREE_MAIL = ["*@freemail.example", "*@gmail.com", "*@outlook.com", "*@yahoo.com", "*@gmx.net", "*@icloud.com"]
WORK_MAIL = criterion(
    "work-mail", "Writes from work", "fit", 5, {"not": fact("signal.email", "matches_any", _FREE_MAIL)}
)
