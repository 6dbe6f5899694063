"""The way in for HTTP: signals go to the lean intake, all else through Django."""

import os
from collections.abc import Iterable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

from django.core.wsgi import get_wsgi_application

pages = get_wsgi_application()

# Their models need the apps, which the line above loads.
from console.intake import app as intake  # noqa: E402
from console.middleware import trusted_only  # noqa: E402


def dispatch(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer one request, by the intake if the address is one of its own."""
    if intake.handles(environ.get("PATH_INFO", "")):
        return intake.application(environ, start_response)
    return pages(environ, start_response)


application = trusted_only(dispatch)
