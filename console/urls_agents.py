"""Addresses of Home, agents and runs."""

from django.urls import path

from console.views import agent_edit, agents, failed, home, policy_edit, policy_review, proposals, routes, run, runs

urlpatterns = [
    path("", home.home, name="home"),
    path("agents", agents.agents, name="agents"),
    path("agents/new", agent_edit.new, name="agent-new"),
    path("agents/<slug:slug>", agents.agent, name="agent"),
    path("agents/<slug:slug>/edit", agent_edit.edit, name="agent-edit"),
    path("agents/<slug:slug>/owner", agent_edit.owner, name="agent-hand-over"),
    path("agents/<slug:slug>/metric", agent_edit.metric, name="agent-metric"),
    path("agents/<slug:slug>/scorecard", agent_edit.scorecard, name="agent-scorecard"),
    path("agents/<slug:slug>/stage", agent_edit.stage, name="agent-stage"),
    path("agents/<slug:slug>/routes", routes.routes, name="agent-routes"),
    path("agents/<slug:slug>/policy", policy_edit.edit, name="agent-policy"),
    path("agents/<slug:slug>/policy/review", policy_review.review, name="agent-policy-review"),
    path("agents/<slug:slug>/policy/<int:number>", policy_edit.version, name="agent-policy-version"),
    path("agents/<slug:slug>/policy/<int:number>/confirm", policy_review.confirm, name="agent-policy-confirm"),
    path("proposals", proposals.proposals, name="proposals"),
    path("proposals/<int:pk>", proposals.proposal, name="proposal"),
    path("proposals/<int:pk>/decide", proposals.decide, name="proposal-decide"),
    path("failed", failed.failed, name="failed"),
    path("failed/act", failed.act, name="failed-act"),
    path("failed/again", failed.every, name="failed-every"),
    path("runs", runs.runs, name="runs"),
    path("runs/<uuid:pk>", run.run, name="run"),
    path("runs/<uuid:pk>/actions/<uuid:action>/again", run.send_again, name="run-action-again"),
    path("runs/<uuid:pk>/actions/<uuid:action>/undo", run.undo, name="run-action-undo"),
    path("runs/<uuid:pk>/actions/<uuid:action>/resolve", run.resolve, name="run-action-resolve"),
]
