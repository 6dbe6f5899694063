"""Issue 2's "The loop": an account's history and a person's contact lock, under four worker processes."""

import threading
from collections import Counter

from agents import tasks
from tests import making
from tests.hostile.conftest import lines, sweeping

LOCK = {**making.ALONE, "contact_lock_hours": 24}
RACERS = 64
RUNS = """
SELECT account, id::text, (SELECT coalesce(jsonb_agg(DISTINCT cited), '[]') FROM jsonb_array_elements(reasons) reason,
    LATERAL jsonb_array_elements_text(coalesce(reason->'cites', '[]')) cited)
FROM agents_run
"""


def test_of_two_signals_of_an_account_at_once_the_later_cites_the_earlier(yard, worker, receiver, alice, hostile, rng):
    pairs, together = hostile.of(1000), 20
    lines([receiver().url], alice)
    worker(queues="loop", concurrency=4)
    numbers = rng.sample(range(pairs), pairs)
    for start in range(0, pairs, together):
        group = numbers[start : start + together]
        halves = [threading.Thread(target=_feed, args=(rng.sample(group, len(group)),)) for _ in range(2)]
        [half.start() for half in halves]
        [half.join() for half in halves]
    with sweeping():
        yard.settles(seconds=120)
    accounts: dict[str, list[tuple[str, list[str]]]] = {}
    for account, run, cited in yard.rows(RUNS):
        accounts.setdefault(account, []).append((run, cited))
    right = sum(_cites(runs) for runs in accounts.values())
    print(f"{right} of {pairs} later runs cite the earlier")
    assert (len(accounts), right) == (pairs, pairs)


def test_of_64_agents_that_race_for_a_person_one_makes_contact(yard, worker, receiver, alice, hostile):
    people = hostile.of(20)
    far = receiver()
    plays = [making.play(making.http(far.url, f"receiver-{n}"), f"greet-{n}") for n in range(4)]
    for number in range(RACERS):
        making.agent(plays[number % 4], alice, f"racer-{number}", policy=LOCK)
    worker(queues="loop", concurrency=4)
    making.signals([{"email": f"person-{number}@example.com"} for number in range(people)])
    for _ in range(4):
        tasks.work.delay()
    with sweeping():
        yard.settles(seconds=120)
    contacts = Counter(yard.rows("SELECT contact FROM agents_action WHERE state = 'delivered'"))
    print(f"{len(far.receipts)} contacts for {people} people, {RACERS} racers each")
    assert yard.states() == {"delivered": people, "refused": people * (RACERS - 1)}
    assert (set(contacts.values()), len(far.receipts)) == ({1}, people)


def _feed(numbers: list[int]) -> None:
    making.signals([{"type": "kind-0", "account": f"account-{number}"} for number in numbers])
    tasks.work.delay()


def _cites(runs: list[tuple[str, list[str]]]) -> bool:
    """Whether there are two, and one cites exactly the other, which cites none."""
    if len(runs) != 2:
        return False
    first, second = sorted(runs, key=lambda run: len(run[1]))
    return (first[1], second[1]) == ([], [first[0]])
