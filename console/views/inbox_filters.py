"""Which questions: the filters in the address, which an answer carries along so that the list stays filtered."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple
from urllib.parse import urlencode

from django.db.models import Q, QuerySet, TextField, Value
from django.http import HttpRequest, QueryDict
from django.urls import reverse

from agents import access
from agents.models import Agent, Region
from agents.models.play import Risk
from approvals.models import Approval, Person

NAMES = ("agent", "play", "risk", "region", "mine")


class Choice(NamedTuple):
    """One value that a filter offers."""

    value: str
    name: str
    chosen: bool


@dataclass(frozen=True)
class Filters:
    """What is asked for; a value that nothing has shows nothing."""

    params: QueryDict

    @classmethod
    def of(cls, request: HttpRequest) -> "Filters":
        """From the address, or of an answer from what it was sent along with: `list`, the address's query."""
        if request.method != "POST":
            return cls(request.GET)
        return cls(QueryDict(request.POST.get("list", "").removeprefix("?")[:500]))

    def get(self, name: str) -> str:
        """The value, without NUL: PostgreSQL can't hold one, and what is decoded here nobody looked at before."""
        return self.params.get(name, "").replace("\0", "").strip()

    @cached_property
    def given(self) -> dict[str, str]:
        """The filters that are set, by name."""
        return {name: value for name in NAMES if (value := self.get(name))}

    @property
    def query(self) -> str:
        """The filters as the end of an address, "?" included; nothing when none is set."""
        return f"?{urlencode(self.given)}" if self.given else ""

    def matching(self, waiting: QuerySet[Approval]) -> QuerySet[Approval]:
        """Those of `waiting` (annotated `mine`) that match."""
        given, region = self.given, self.get("region")
        exact = {"agent": "agent", "play": "question__play", "risk": "risk"}
        waiting = waiting.filter(**{column: given[name] for name, column in exact.items() if name in given})
        if region:
            waiting = waiting.filter(Q(region=region) | Q(region__startswith=f"{region}/"))
        return waiting.filter(Q(mine=1)) if "mine" in given else waiting

    @property
    def query_from(self) -> str:
        """The filters as the beginning of a query that goes on."""
        return f"?{urlencode(self.given)}&" if self.given else "?"

    def href(self, **more: object) -> str:
        """The address of the list so filtered, with `more` in it."""
        query = urlencode({**self.given, **more})
        return reverse("inbox") + (f"?{query}" if query else "")

    def choices(self, person: Person) -> dict[str, list[Choice]]:
        """What each filter offers this person; one query."""
        agents = access.visible(person, Agent.objects.exclude(stage="draft")).order_by()
        regions = access.visible(person, Region.objects.all()).order_by()
        kind = {name: Value(name, TextField()) for name in ("agent", "region")}
        rows = agents.values_list(kind["agent"], "slug", "name").union(
            regions.values_list(kind["region"], "code", "name")
        )
        named = [*sorted(rows, key=lambda row: row[2]), *(("risk", risk.value, risk.label) for risk in Risk)]
        return {
            name: [Choice(value, words, value == self.get(name)) for noun, value, words in named if noun == name]
            for name in ("agent", "risk", "region")
        }
