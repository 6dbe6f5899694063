"""
The load: signals over HTTP, closed loop (each client sends its next when the last is answered) or open (at a rate).

`python -m bench.load JSON` with {"url", "receiver", "headers", "clients", "signals", "rate", "batch", "seed", "name"};
prints one JSON line. Latency is from the *scheduled* moment of sending to arrival at the receiver, so a stalled system
cannot hide by slowing the load (no coordinated omission).
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import aiohttp
import orjson
import uvloop

from bench.work import sure_signals

SETTLE_SECONDS = 30.0
"""How long after the last arrival the rest is waited for."""


def percentile(values: Sequence[float], share: float) -> float | None:
    """In milliseconds, one decimal; None for nothing."""
    ordered = sorted(values)
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else None


async def run(order: dict[str, Any]) -> dict[str, Any]:
    """Send what is ordered and wait for what comes of it."""
    name, count, batch = order["name"], order["signals"], order["batch"]
    signals = [{**signal, "id": f"{name}-{n}"} for n, signal in enumerate(sure_signals(count, seed=order["seed"]))]
    bodies = [orjson.dumps(signals[n : n + batch] if batch > 1 else signals[n]) for n in range(0, count, batch)]
    scheduled, accepted, refused = [0.0] * len(bodies), [0.0] * len(bodies), 0
    connector = aiohttp.TCPConnector(limit=0)
    headers = {"Content-Type": "application/json", **order["headers"]}
    async with aiohttp.ClientSession(connector=connector) as client:
        await (await client.post(order["receiver"] + "/reset")).read()

        async def post(index: int) -> None:
            nonlocal refused
            async with client.post(order["url"], data=bodies[index], headers=headers) as answer:
                await answer.read()
                if 200 <= answer.status < 300:
                    accepted[index] = time.time()
                else:
                    refused += 1

        began = time.time()
        if order["rate"]:
            await _open(order["rate"], scheduled, began, post)
        else:
            turns = iter(range(len(bodies)))
            await asyncio.gather(*(_closed(turns, scheduled, post) for _ in range(order["clients"])))
        last_accept = max(accepted)
        arrivals = await _wait(client, order["receiver"], count - refused * batch)
    first: dict[str, float] = {}
    for id_, at in arrivals:
        first.setdefault(id_, at)
    ids = [f"{name}-{n}" for n in range(count)]
    latencies = [first[id_] - scheduled[n // batch] for n, id_ in enumerate(ids) if id_ in first]
    last = max(first.values(), default=began)
    return {
        "sent": count,
        "refused": refused * batch,
        "delivered": len(latencies),
        "missing": count - refused * batch - len(latencies),
        "duplicates": len(arrivals) - len(first),
        "accepted_per_s": round(count / (last_accept - began), 1),
        "end_to_end_per_s": round(len(latencies) / max(last - began, 1e-9), 1),
        "drained_after_s": round(max(0.0, last - last_accept), 2),
        "p50_ms": percentile(latencies, 0.5),
        "p95_ms": percentile(latencies, 0.95),
        "p99_ms": percentile(latencies, 0.99),
    }


async def _closed(turns: Any, scheduled: list[float], post: Any) -> None:
    for index in turns:
        scheduled[index] = time.time()
        await post(index)


async def _open(rate: float, scheduled: list[float], began: float, post: Any) -> None:
    tasks = []
    for index in itertools.takewhile(lambda n: n < len(scheduled), itertools.count()):
        scheduled[index] = began + index / rate
        wait = scheduled[index] - time.time()
        if wait > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(post(index)))
    await asyncio.gather(*tasks)


async def _wait(client: aiohttp.ClientSession, receiver: str, expected: int) -> list[tuple[str, float]]:
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < SETTLE_SECONDS:
        stats = await (await client.get(receiver + "/stats")).json()
        if stats["unique"] >= expected:
            break
        if stats["n"] != seen:
            seen, since = stats["n"], time.monotonic()
        await asyncio.sleep(0.1)
    arrivals: list[tuple[str, float]] = await (await client.get(receiver + "/dump")).json()
    return arrivals


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(json.loads(sys.argv[1])))))
