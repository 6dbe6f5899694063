"""Who works at Tideline: a person for each role, two of them owners."""

from typing import NamedTuple

DOMAIN = "demo.signalbox.example"


class Colleague(NamedTuple):
    key: str
    name: str
    role: str
    time_zone: str
    does: str

    @property
    def email(self) -> str:
        return f"{self.key}@{DOMAIN}"


PEOPLE = (
    Colleague("priya", "Priya Raman", "admin", "Europe/London", "pauses, people, connections"),
    Colleague("tom", "Tom Okafor", "ops", "America/New_York", "Home, agents, Audit"),
    Colleague("lena", "Lena Vogt", "owner", "Europe/Berlin", "owns Inbound intent and Renewal risk"),
    Colleague("marcus", "Marcus Hale", "owner", "America/New_York", "owns Trial rescue"),
    Colleague("aiko", "Aiko Tanaka", "rep", "Asia/Tokyo", "answers in the Inbox, often on a phone"),
    Colleague("sam", "Sam Whitfield", "engineer", "Europe/London", "builds agents, connects sources"),
    Colleague("nora", "Nora Lind", "auditor", "Europe/Stockholm", "reads everything, changes nothing"),
)
