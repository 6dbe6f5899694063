"""Claimers: `python -m tests.hostile.claimer NUMBER` forks so many, each a process of its own, until it is killed."""

import os
import sys
import time

import django
import psycopg

os.environ["DJANGO_SETTINGS_MODULE"] = "console.settings"
django.setup()

from agents.loop.gate import gate  # noqa: E402
from agents.loop.hot import Hot  # noqa: E402
from tests import told  # noqa: E402

AGAIN = """
UPDATE agents_action SET state = 'ready', not_before = clock_timestamp() WHERE id = ANY(%s) AND state = 'sending'
"""
"""`tries` goes on counting the gates that an action passed."""


def run() -> None:
    """Pass the gate as fast as can be; what was permitted is not sent but ready again."""
    hot = Hot()
    while True:
        try:
            permitted = gate(hot)
        except psycopg.errors.LockNotAvailable:
            continue
        if permitted:
            ids = [one.action for one in permitted]
            with hot.connection.transaction(), hot.connection.cursor() as cursor:
                told.tell(cursor, *(f"action:{id_}" for id_ in ids))
                cursor.execute(AGAIN, [ids])
        else:
            time.sleep(0.002)


if __name__ == "__main__":
    for _ in range(int(sys.argv[1])):
        if os.fork() == 0:
            run()
    os.wait()
