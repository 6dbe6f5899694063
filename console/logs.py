"""Structured logs: one JSON line an event, carrying the request's and the run's id wherever code logs beneath them.

Anything that logs through `logging` or `structlog` comes out the same way. Ids are bound with `bound(run_id=…)`.
"""

import re
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog

QUOTED = re.compile(r"""(?<=[\s(:=,\[{])[bru]?(["'])(?:(?!\1).){1,2000}\1(?=$|[\s).,;:\]}])""", re.DOTALL)
ADDRESS = re.compile(r"[^\s@<>\"'(),:;]{1,64}@[\w.-]{1,255}")
ROW = re.compile(r"^(?:DETAIL|CONTEXT|LINE \d+): .*(?:\n\s+\^)?", re.MULTILINE)
"""What an error says of the row, and the statement, that the database refused."""


@contextmanager
def bound(**ids: str) -> Iterator[None]:
    """Every line logged inside, in this thread or task, carries `ids` (such as run_id)."""
    with structlog.contextvars.bound_contextvars(**ids):
        yield


def without_words(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """
    The event, its traceback without what the errors quote: values in quotation marks, addresses, rows of the database.

    Logs are kept where no erasure reaches, and what an error quotes may be about somebody. Frames and classes stay.
    """
    trace = event.get("exception")
    if isinstance(trace, str):
        lines = trace.split("\n")
        event["exception"] = "\n".join(
            line if line.startswith((" ", "Traceback ", "During ", "The above ")) else masked(line) for line in lines
        )
    return event


def masked(text: str) -> str:
    """One line of an error's words, masked."""
    return ADDRESS.sub("…", QUOTED.sub("…", ROW.sub(lambda found: found[0].partition(":")[0] + ": …", text)))


def configure(*, format: str, level: str) -> dict[str, Any]:
    """Set structlog up and return Django's LOGGING; `format` is "json" or "console". Lines go to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        without_words,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Any = (
        structlog.processors.JSONRenderer() if format == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
                "foreign_pre_chain": shared,
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"level": level, "propagate": True, "handlers": []},
            "django.server": {"level": "WARNING", "propagate": True, "handlers": []},
            "axes": {"level": "WARNING"},
            "celery.beat": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "asyncio": {"level": "WARNING"},
        },
    }
