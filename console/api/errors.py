"""Errors of the API: application/problem+json (RFC 9457) that says what is wrong, where, and how to mend it."""

from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, ValidationError
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

log = structlog.get_logger(__name__)

TITLES = {
    400: "The request can't be read",
    401: "No valid token",
    403: "Not allowed",
    404: "Not here",
    405: "Not this way",
    406: "Only JSON is answered",
    409: "Someone was first",
    412: "It has changed since",
    413: "Too big",
    415: "Only JSON is taken",
    422: "Some of it does not hold",
    429: "Too much",
    500: "It failed here",
    503: "Not now",
}
HOW = {
    400: "Send one JSON object, as UTF-8.",
    401: "Send “Authorization: Bearer” and a token made under Settings, API tokens.",
    403: "Ask an admin for the right, or make a token that has it.",
    404: "Look at the address. What you may not see is not shown either.",
    405: "Look at Allow for what this address takes.",
    406: "Send “Accept: application/json”.",
    409: "Fetch it again, and decide on what is there now.",
    412: "Fetch it again, and decide on what is there now.",
    413: "Send less at once.",
    415: "Send “Content-Type: application/json”.",
    422: "Mend what “errors” names, and send it again.",
    429: "Wait as long as Retry-After says.",
    500: "Try again later; tell an admin the request's id.",
    503: "Try again in a second: nothing was changed.",
}


class Conflict(exceptions.APIException):
    """409: someone was first. Say who and what in its text."""

    status_code = 409


class ChangedSince(exceptions.APIException):
    """412: what the caller saw is no longer so."""

    status_code = 412


class Invalid(exceptions.APIException):
    """422: what was sent can be read but does not hold; `errors` is field → words."""

    status_code = 422

    def __init__(self, detail: str = "", *, errors: dict[str, Any] | None = None) -> None:
        super().__init__(detail or "Some of what was sent does not hold.")
        self.errors = errors or {}


def handle(fault: Exception, context: dict[str, Any]) -> Response:
    """DRF's exception handler: every fault becomes a problem, and what nobody foresaw is logged."""
    request: HttpRequest = context["request"]._request
    set_rollback()
    headers: dict[str, str] = {}
    errors: list[dict[str, str]] = []
    detail = ""
    match fault:
        case exceptions.ValidationError():
            status, errors = 422, _errors(fault.detail)
        case Invalid():
            status, detail, errors = 422, str(fault.detail), _errors(fault.errors)
        case exceptions.APIException():
            status, detail = fault.status_code, str(fault.detail)
            if header := getattr(fault, "auth_header", None):
                headers["WWW-Authenticate"] = header
            if wait := getattr(fault, "wait", None):
                headers["Retry-After"] = str(int(wait))
        case PermissionDenied():
            status, detail = 403, str(fault)
        case Http404():
            status = 404
        case ValidationError():
            status, errors = 422, _errors((getattr(fault, "error_dict", None) and fault.message_dict) or fault.messages)
        case RequestDataTooBig():
            status = 413
        case OperationalError():
            status = 503
            headers["Retry-After"] = "1"
        case _:
            log.exception("api_failed", path=request.path)
            status = 500
    if status == 405:
        headers["Allow"] = ", ".join(context["view"].allowed_methods)
    body = problem(request, status, detail=detail, errors=errors)
    return Response(body, status=status, headers=headers, content_type="application/problem+json")


def problem(request: HttpRequest, status: int, *, detail: str = "", errors: Any = ()) -> dict[str, Any]:
    """What, where and how, as a JSON object that can be sent: what is no character in it becomes “?”."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": TITLES.get(status, "It failed"),
        "status": status,
        "detail": _sendable(detail) or TITLES.get(status, ""),
        "where": f"{request.method} {request.path}",
        "how": HOW.get(status, ""),
    }
    if errors:
        body["errors"] = [{name: _sendable(text) for name, text in one.items()} for one in errors]
    return body


def not_here(request: HttpRequest, rest: str = "") -> HttpResponse:
    """The answer under /api/ to an address that is none."""
    return refusal(request, 404)


def refusal(request: HttpRequest, status: int, detail: str = "") -> HttpResponse:
    """A problem as an answer, outside any endpoint."""
    found = problem(request, status, detail=detail)
    return JsonResponse(found, status=status, content_type="application/problem+json")


def _sendable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _errors(found: Any, where: str = "") -> list[dict[str, str]]:
    """Nested errors of serializers and forms as a flat list: where in the body, and what."""
    if isinstance(found, dict):
        return [one for key, inner in found.items() for one in _errors(inner, f"{where}.{key}" if where else str(key))]
    if isinstance(found, list | tuple):
        return [one for inner in found for one in _errors(inner, where)]
    return [{"where": where if where not in ("", "__all__") else "body", "what": str(found)}]
