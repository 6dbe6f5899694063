"""The hot path's connection: one transaction at a time, and another once the server has ended it."""

import threading
import time

from agents.loop.hot import Hot


def test_threads_take_turns(workspace):
    hot, together, most = Hot(), 0, 0
    lock = threading.Lock()

    def change(n: int) -> None:
        nonlocal together, most
        try:
            with hot.transaction() as cursor:
                with lock:
                    together += 1
                    most = max(most, together)
                cursor.execute("INSERT INTO turns VALUES (%s)", [n])
                time.sleep(0.01)
                with lock:
                    together -= 1
                if n % 2:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            pass

    with hot.transaction() as cursor:
        cursor.execute("CREATE TABLE turns (n int)")
    threads = [threading.Thread(target=change, args=[n]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with hot.transaction() as cursor:
        assert [row[0] for row in cursor.execute("SELECT n FROM turns ORDER BY n").fetchall()] == [0, 2, 4, 6]
    assert most == 1
    hot.close()


def test_one_that_the_server_has_ended_is_replaced(workspace):
    hot = Hot()
    with hot.transaction() as cursor:
        (pid,) = cursor.execute("SELECT pg_backend_pid()").fetchone()
    with workspace.connect() as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    with hot.transaction() as cursor:
        assert cursor.execute("SELECT pg_backend_pid()").fetchone() != (pid,)
    hot.close()
