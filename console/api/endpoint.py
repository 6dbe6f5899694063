"""What every address of the API is made of. See `console.api.me` for the shortest."""

import re
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from rest_framework import exceptions, parsers, renderers
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from agents import access
from approvals.models import ApiToken, Person
from audit.carried import through
from console.api import errors, limits
from console.api.tokens import TokenAuthentication

A_MINUTE = 600
"""How many requests of one token a process answers a minute."""
MOST = 200
SIZE = re.compile(r"[0-9]{1,3}")
Rows = TypeVar("Rows", bound=QuerySet[Any])
Show = Callable[[Any], dict[str, Any]]

_rate = RateLimitItemPerMinute(A_MINUTE)
_limiter = MovingWindowRateLimiter(MemoryStorage())


class Throttle(BaseThrottle):
    """So many requests of one token a minute, counted in this process."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        self.key = str(request.auth.pk) if request.auth else str(request.META.get("REMOTE_ADDR"))
        return bool(_limiter.hit(_rate, self.key))

    def wait(self) -> float:
        return max(1.0, _limiter.get_window_stats(_rate, self.key).reset_time - time.time())


class Json(parsers.JSONParser):
    """JSON, and nothing so deep that reading it fails."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise exceptions.ParseError("The JSON is nested too deeply.") from None


class Endpoint(APIView):
    """
    One address: JSON in and out, a token needed, problems as errors.

    `verbs` says what the token needs for each method; what the person may do to the thing itself is asked by
    `require`, and lists are narrowed by `visible`, as pages do with `access`.
    """

    verbs: dict[str, str] = {"GET": access.SEE}
    authentication_classes = (TokenAuthentication,)
    renderer_classes = (renderers.JSONRenderer,)
    parser_classes = (Json,)
    throttle_classes = (Throttle,)
    metadata_class = None

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., Any]:
        return cast(Callable[..., Any], login_not_required(super().as_view(**initkwargs)))

    def get_exception_handler(self) -> Any:
        return errors.handle

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.auth is None:
            raise exceptions.NotAuthenticated("No token was sent.")
        through(f"token:{request.auth.pk}")
        if verb := self.verbs.get("GET" if request.method == "HEAD" else str(request.method)):
            self._has(verb)

    @property
    def person(self) -> Person:
        """Who asks."""
        return cast(Person, self.request.user)

    @property
    def token(self) -> ApiToken:
        """With which token."""
        return cast(ApiToken, self.request.auth)

    def require(self, verb: str, on: Any = None) -> None:
        """Refuse (403) unless the person may do it, and the token was made for it."""
        limits.require(self.person, self.token, verb, on)

    def visible(self, queryset: Rows) -> Rows:
        """The rows that person and token reach."""
        return limits.visible(self.person, self.token, queryset)

    def page(
        self, queryset: QuerySet[Any], show: Callable[[Any], dict[str, Any]], *, key: str = "id"
    ) -> dict[str, Any]:
        """
        A page of a list, newest first by `key`, a column that only rises: {"items": […], "next": address or null}.

        `?size=` up to 200, `?after=` the key of the last item. The cost does not grow with history.
        """
        size, after = self._size(), self.request.query_params.get("after", "")
        if after:
            queryset = queryset.filter(**{f"{key}__lt": self._cursor(queryset, key, after)})
        found = list(queryset.order_by(f"-{key}")[: size + 1])
        following = None
        if len(found) > size:
            query = self.request.query_params.copy()
            query["after"] = str(getattr(found[size - 1], key))
            following = self.request.build_absolute_uri(f"{self.request.path}?{query.urlencode()}")
        return {"items": [show(row) for row in found[:size]], "next": following}

    def _has(self, verb: str) -> None:
        if verb not in self.token.verbs:
            limits.require(self.person, self.token, verb)

    def _size(self) -> int:
        text = self.request.query_params.get("size", "50")
        if not SIZE.fullmatch(text) or not 1 <= int(text) <= MOST:
            raise errors.Invalid(errors={"size": f"Give a whole number from 1 to {MOST}."})
        return int(text)

    def _cursor(self, queryset: QuerySet[Any], key: str, text: str) -> Any:
        field: Any = queryset.model._meta.get_field(key)
        try:
            value = field.to_python(text)
            field.run_validators(value)
        except ValidationError as fault:
            raise errors.Invalid(errors={"after": "Take it from “next” of the page before."}) from fault
        return value
