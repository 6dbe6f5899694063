"""Where the Signalbox of this folder answers."""

import json
import os
from ipaddress import ip_address

from django.conf import settings

from console import env


def local_url() -> str:
    """Its address on this machine, no slash at the end: by PORT when given, else as the running one said."""
    if "PORT" not in os.environ:
        try:
            said = json.loads((settings.VAR / "run" / "lock").read_text())["address"]
        except (OSError, ValueError, KeyError):
            said = ""
        if said:
            return str(said)
    bind = ip_address(env.read().bind)
    host = bind if not bind.is_unspecified else ip_address("127.0.0.1" if bind.version == 4 else "::1")
    return f"http://{f'[{host}]' if host.version == 6 else host}:{env.read().port}"
