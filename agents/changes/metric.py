"""Changes of an agent's metric."""

from typing import Any

from django.db import transaction

from agents.changes.seen import changed, check
from agents.models import Agent, Metric
from audit.entries import Line, record

FIELDS = (
    "name", "outcome", "measure", "unit", "direction", "target", "window_days", "acceptable_failure_rate",
)  # fmt: skip


def metric_of(agent: Agent) -> dict[str, Any]:
    """The metric as an entry shows it; empty without one."""
    metric = getattr(agent, "metric", None)
    if metric is None:
        return {}
    return {name: value if isinstance(value := getattr(metric, name), int) else str(value) for name in FIELDS}


def set_metric(agent: Agent, *, actor: str, seen: str = "", **values: Any) -> Metric:
    """Say what counts as success from now on. ValidationError by field; ChangedSince when `seen` no longer holds."""
    with transaction.atomic():
        agent = Agent.objects.select_for_update(of=("self",)).select_related("metric").get(pk=agent.pk)
        before = metric_of(agent)
        check(seen, before, subject=f"agent:{agent.slug}")
        metric = getattr(agent, "metric", None) or Metric(agent=agent)
        for name, value in values.items():
            setattr(metric, name, value)
        metric.full_clean()
        metric.save()
        metric.refresh_from_db()
        agent.metric = metric
        detail = changed(before, metric_of(agent))
        if detail:
            record(Line("agent.changed", f"agent:{agent.slug}", actor, agent=agent.slug, detail={"metric": detail}))
    return metric
