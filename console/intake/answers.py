"""What the intake answers: JSON always, and each error with what is wrong, where, and how to mend it."""

from http import HTTPStatus
from typing import Any

import orjson

Header = tuple[str, str]


class Answer:
    """A status, a body (JSON, or none) and headers beyond type and length."""

    def __init__(self, status: int, body: Any = None, *, headers: tuple[Header, ...] = ()) -> None:
        self.status = f"{status} {HTTPStatus(status).phrase}"
        self.body = b"" if body is None else orjson.dumps(body)
        self.headers = [("Content-Type", "application/json"), ("Content-Length", str(len(self.body))), *headers]


class Fault(Exception):
    """The whole request is turned away. `where` names the part of it, such as "header Authorization"."""

    def __init__(self, status: int, what: str, *, where: str, how: str, headers: tuple[Header, ...] = ()) -> None:
        super().__init__(what)
        self.status = status
        self.body = {"error": {"what": what, "where": where, "how": how}}
        self.headers = headers

    def answer(self, *, segment: bool = False) -> Answer:
        """As an answer; Segment's clients also read `code` and `message`."""
        body: dict[str, Any] = {**self.body}
        if segment:
            body |= {"success": False, "code": str(self.status), "message": self.body["error"]["what"]}
        return Answer(self.status, body, headers=self.headers)


def unavailable(what: str, *, seconds: int = 1) -> Fault:
    """The fault for a moment in which nothing can be promised; sending again is safe, since ids are remembered."""
    return Fault(503, what, where="the server", how="Send the same again.", headers=(("Retry-After", str(seconds)),))
