"""How gunicorn serves the console: one process of many threads, so that hundreds of idle streams cost little."""

import ctypes
from pathlib import Path
from typing import Any

from console import env

_env = env.read()
bind = [f"[{_env.bind}]:{_env.port}" if ":" in _env.bind else f"{_env.bind}:{_env.port}"]
wsgi_app = "console.wsgi:application"
worker_class = "gthread"
workers = 1
threads = _env.web_threads
keepalive = 30
graceful_timeout = 5
timeout = 60
backlog = 1024
limit_request_line = 8190
control_socket_disable = True
accesslog = None
errorlog = "-"
loglevel = "warning"
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
forwarded_allow_ips = ""
"""Nobody: `console.middleware.trusted_only` alone decides whom to believe."""


M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
LARGE = 128 * 1024


def post_fork(server: Any, worker: Any) -> None:
    """
    Have the C library give memory of great bodies back as soon as they are done with.

    Left to itself glibc learns from the first that such sizes are usual, and keeps them, in an arena for each thread.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE)
        mallopt(M_ARENA_MAX, 2)
