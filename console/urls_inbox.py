"""The addresses of the Inbox; `console.urls` takes them in."""

from django.urls import URLPattern, URLResolver, path

from console.views import (
    how_we_decide,
    inbox,
    inbox_answers,
    inbox_bulk,
    inbox_decided,
    inbox_edit,
    inbox_talk,
    planting,
    question,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("inbox", inbox.waiting, name="inbox"),
    path("inbox/put-off", inbox_decided.put_off, name="inbox-put-off"),
    path("inbox/decided", inbox_decided.decided, name="inbox-decided"),
    path("inbox/planting", planting.planting, name="planting"),
    path("inbox/how-we-decide", how_we_decide.how_we_decide, name="how-we-decide"),
    path("inbox/approve", inbox_bulk.approve_all, name="inbox-approve"),
    path("inbox/take-back", inbox_answers.take_back, name="inbox-take-back"),
    path("inbox/<uuid:pk>", question.question, name="question"),
    path("inbox/<uuid:pk>/approve", inbox_answers.approve, name="question-approve"),
    path("inbox/<uuid:pk>/reject", inbox_answers.reject, name="question-reject"),
    path("inbox/<uuid:pk>/edit", inbox_edit.edit, name="question-edit"),
    path("inbox/<uuid:pk>/hand", inbox_talk.hand, name="question-hand"),
    path("inbox/<uuid:pk>/ask", inbox_talk.ask, name="question-ask"),
    path("inbox/<uuid:pk>/put-off", inbox_talk.snooze, name="question-snooze"),
    path("inbox/<uuid:pk>/back", inbox_talk.unsnooze, name="question-unsnooze"),
]
