"""Which runs: the filters in the address, shared by the list and by a run's "next" and "previous"."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils import timezone

from agents import access
from agents.models import Action, Agent, Region, Run, Segment
from agents.models.action import State
from agents.models.run import Verdict
from audit.ids import floor_id

PERIODS = (("1", "24 hours"), ("7", "7 days"), ("30", "30 days"), ("90", "90 days"))
DEFAULT_PERIOD = "7"
NAMES = ("agent", "verdict", "state", "region", "segment", "account", "period")


@dataclass(frozen=True)
class RunFilters:
    """What the address asks for of what `person` sees; a value that nothing has shows nothing."""

    params: QueryDict
    person: Any

    def get(self, name: str) -> str:
        return self.params.get(name, "").strip()

    @cached_property
    def days(self) -> int:
        asked = self.get("period")
        return int(asked if asked in dict(PERIODS) else DEFAULT_PERIOD)

    @cached_property
    def given(self) -> dict[str, str]:
        """The filters that are set."""
        return {name: value for name in NAMES if (value := self.get(name))}

    @property
    def query(self) -> str:
        """The filters as the end of an address, "?" included; nothing when none is set."""
        return f"?{urlencode(self.given)}" if self.given else ""

    def runs(self) -> QuerySet[Run]:
        """The runs that match, of the period only, so that a rare filter never reads all of history."""
        since = floor_id(timezone.now() - timedelta(days=self.days))
        wanted: dict[str, Any] = {"id__gte": since}
        if self.get("agent"):
            wanted["agent__in"] = list(Agent.objects.filter(slug=self.get("agent")).values_list("pk", flat=True))
        if self.get("verdict") in Verdict.values:
            wanted["verdict"] = self.get("verdict")
        if self.get("account"):
            wanted["account"] = self.get("account")
        scopes: tuple[tuple[str, type[Region] | type[Segment]], ...] = (("region", Region), ("segment", Segment))
        for name, model in scopes:
            if code := self.get(name):
                beneath = Q(code=code) | Q(code__startswith=f"{code}/")
                wanted[f"{name}__in"] = list(model.objects.filter(beneath).values_list("pk", flat=True))
        if self.get("state") in State.values:
            acted = Action.objects.filter(state=self.get("state"), id__gte=since)
            if "agent__in" in wanted:
                acted = acted.filter(agent__in=wanted["agent__in"])
            wanted["id__in"] = acted.values("run_id")
        return access.visible(self.person, Run.objects.filter(**wanted))

    def beside(self, run: Run) -> tuple[UUID | None, UUID | None]:
        """The next newer and the next older run among those that match."""
        ids = self.runs().values_list("id", flat=True)
        newer, older = ids.filter(id__gt=run.pk).order_by("id")[:1], ids.filter(id__lt=run.pk).order_by("-id")[:1]
        found = list(newer.union(older, all=True))
        return next((id for id in found if id > run.pk), None), next((id for id in found if id < run.pk), None)
