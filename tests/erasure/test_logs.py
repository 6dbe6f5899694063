"""What an error quotes does not stay in the log, where no erasure reaches; where it happened does."""

import pytest

from console.engines.postgres import SETTINGS
from console.logs import masked, without_words


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (
            "ValueError: invalid literal for int(): 'kim@acme.example wrote \"x\"'",
            "ValueError: invalid literal for int(): …",
        ),
        ("KeyError: 'quokkaberry'", "KeyError: …"),
        ("DETAIL:  Failing row contains (1, kim, quokkaberry).", "DETAIL: …"),
        ("SMTPError: (550, b'kim@acme.example unknown')", "SMTPError: (550, …)"),
        ("smtplib: kim@acme.example refused", "smtplib: … refused"),
        ("TypeError: can't do it, isn't it", "TypeError: can't do it, isn't it"),
    ],
)
def test_a_line(said, kept):
    assert masked(said) == kept


def test_a_traceback_keeps_where_it_was():
    trace = "Traceback (most recent call last):\n  File \"a.py\", line 3, in f\n    g('x')\nKeyError: 'kim'"
    assert without_words(None, "error", {"event": "e", "exception": trace})["exception"] == trace.replace("'kim'", "…")


def test_the_embedded_database_logs_no_statement_and_no_row():
    assert SETTINGS["log_min_error_statement"] == "panic"
    assert SETTINGS["log_error_verbosity"] == "terse"
    assert SETTINGS["log_min_duration_statement"] == "-1"
