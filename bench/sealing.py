"""
`python -m bench.sealing`: what sealing costs the loop. The same load with the sealer and without it, in turn.

Each pair of runs has its order turned round, so that a machine that grows slower favours neither.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from bench import stack
from bench.__main__ import WARM_UP, measured_load
from tests.running import engines


def main() -> int:
    """Print each run, then the medians and their ratio."""
    parser = argparse.ArgumentParser(prog="python -m bench.sealing", description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--signals", type=int, default=20_000, help="a run, one a POST")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    found: dict[bool, list[float]] = {True: [], False: []}
    with tempfile.TemporaryDirectory(prefix="signalbox-bench-") as folder, stack.receiver() as far:
        var = Path(folder)
        with engines(var) as urls:
            pids = stack.engine_groups(var)
            for number in range(options.rounds):
                for sealing in (True, False) if number % 2 else (False, True):
                    with stack.signalbox(pids, urls, far, workers=options.workers, sealing=sealing) as system:
                        measured_load(system, far, options, signals=WARM_UP, number=number)
                        figures = measured_load(system, far, options, signals=options.signals, number=number)
                    found[sealing].append(figures["end_to_end_per_s"])
    sealed, bare = statistics.median(found[True]), statistics.median(found[False])
    print(
        f"with the sealer {sealed:.0f} signals/s, without {bare:.0f}: sealing costs {100 * (1 - sealed / bare):.1f} %"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
