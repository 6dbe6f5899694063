"""The way in for HTTP: signals go to the lean intake, all else through Django."""

import os
from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

from django.core.wsgi import get_wsgi_application

from console.middleware import trusted_only

pages = get_wsgi_application()

if find_spec("console.intake.app"):
    from console.intake import app as intake
else:
    intake = None


def dispatch(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer one request, by the intake if the address is one of its own."""
    if intake is not None and intake.handles(environ.get("PATH_INFO", "")):
        return intake.application(environ, start_response)
    return pages(environ, start_response)


application = trusted_only(dispatch)
