"""A process of claimers: `python -m tests.hostile.claimer THREADS`, until it is killed."""

import os
import sys
import threading
import time

import django

AGAIN = """
UPDATE agents_action SET state = 'ready', not_before = clock_timestamp() WHERE id = ANY(%s) AND state = 'sending'
"""
"""`tries` goes on counting the gates that an action passed."""


def run() -> None:
    """Pass the gate as fast as can be; what was permitted is not sent but ready again."""
    import psycopg

    from agents.loop.gate import gate
    from agents.loop.hot import Hot

    hot = Hot()
    while True:
        try:
            permitted = gate(hot)
        except psycopg.errors.LockNotAvailable:
            continue
        if permitted:
            hot.connection.execute(AGAIN, [[one.action for one in permitted]])
        else:
            time.sleep(0.002)


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "console.settings"
    django.setup()
    for _ in range(int(sys.argv[1])):
        threading.Thread(target=run).start()
    print("claiming", flush=True)
