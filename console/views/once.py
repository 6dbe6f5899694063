"""What the next page shows once and then nobody: new secrets, and what came of each of a selection.

Sealed while it waits in the session, so that it stands nowhere in the clear.
"""

from typing import Any

from django.http import HttpRequest

from agents import sealed

KEY = "once"


def keep(request: HttpRequest, name: str, value: Any) -> None:
    """Have `value` (JSON) shown by the next page that asks for `name`."""
    request.session[KEY] = sealed.seal({name: value})


def take(request: HttpRequest, name: str) -> Any:
    """What was kept under `name`, for this one time; else None."""
    kept = request.session.get(KEY)
    if not kept:
        return None
    found = sealed.open_sealed(kept)
    if name not in found:
        return None
    del request.session[KEY]
    return found[name]
