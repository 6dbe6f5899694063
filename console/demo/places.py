"""Where Tideline's customers are, and which kinds there are. Parents stand before what is beneath them."""

from typing import Any, NamedTuple

WEEK = ("mon", "tue", "wed", "thu", "fri")


class Place(NamedTuple):
    code: str
    name: str
    time_zone: str
    currency: str
    hours: dict[str, list[str]]


def _hours(opens: str = "09:00", closes: str = "18:00", days: tuple[str, ...] = WEEK) -> dict[str, list[str]]:
    return {day: [opens, closes] for day in days}


REGIONS = (
    Place("emea", "EMEA", "Europe/London", "EUR", _hours()),
    Place("emea/gb", "United Kingdom", "Europe/London", "GBP", _hours("09:00", "17:30")),
    Place("emea/de", "Germany", "Europe/Berlin", "EUR", _hours("08:30", "17:30")),
    Place("emea/fr", "France", "Europe/Paris", "EUR", _hours("09:00", "18:30")),
    Place("emea/nl", "Netherlands", "Europe/Amsterdam", "EUR", _hours("08:30", "17:00")),
    Place("emea/se", "Sweden", "Europe/Stockholm", "SEK", _hours("08:00", "17:00")),
    Place("emea/sa", "Saudi Arabia", "Asia/Riyadh", "SAR", _hours(days=("sun", "mon", "tue", "wed", "thu"))),
    Place("amer", "AMER", "America/New_York", "USD", _hours()),
    Place("amer/us", "United States", "America/New_York", "USD", _hours("08:00", "18:00")),
    Place("amer/ca", "Canada", "America/Toronto", "CAD", _hours("08:30", "17:00")),
    Place("amer/br", "Brazil", "America/Sao_Paulo", "BRL", _hours()),
    Place("apac", "APAC", "Asia/Singapore", "USD", _hours()),
    Place("apac/jp", "Japan", "Asia/Tokyo", "JPY", _hours()),
    Place("apac/sg", "Singapore", "Asia/Singapore", "SGD", _hours()),
    Place("apac/au", "Australia", "Australia/Sydney", "AUD", _hours("08:30", "17:00")),
    Place("apac/in", "India", "Asia/Kolkata", "INR", _hours("09:30", "18:30")),
)
SEGMENTS = (("enterprise", "Enterprise"), ("mid-market", "Mid-market"), ("smb", "Small business"))
BY_SIZE: list[dict[str, Any]] = [
    {"condition": {"field": "fields.employees", "op": "gte", "value": 1000}, "segment": "enterprise"},
    {"condition": {"field": "fields.employees", "op": "gte", "value": 200}, "segment": "mid-market"},
    {"condition": {"field": "fields.employees", "op": "gte", "value": 1}, "segment": "smb"},
]
"""Segment rules of a mapping, by how many people work there."""
