"""A shop whose agents act for real, and files of sessions in the shape of UCI's."""

import csv
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.shoppers import shop
from bench.shoppers.far import Mailbox, far_sides
from tests.hostile.receiver import Receiver
from tests.running import ROOT, Web, Workspace

REAL = ROOT.parent / "shared" / "data" / "online_shoppers_intention.csv"
HEAD = (
    "Administrative,Administrative_Duration,Informational,Informational_Duration,ProductRelated,"
    "ProductRelated_Duration,BounceRates,ExitRates,PageValues,SpecialDay,Month,OperatingSystems,Browser,Region,"
    "TrafficType,VisitorType,Weekend,Revenue"
)
VISITORS = ("Returning_Visitor", "New_Visitor", "Other")


@pytest.fixture
def file(tmp_path: Path, rng: random.Random, hostile: Any) -> Path:
    """Made-up sessions; with `--hostile=full` the real ones, where they are at hand."""
    if hostile.full and REAL.exists():
        return REAL
    return sessions(tmp_path / "sessions.csv", rng, size=hostile.of(4000))


def sessions(path: Path, rng: random.Random, *, size: int) -> Path:
    """Write so many made-up sessions to `path`."""
    with path.open("w", newline="") as file:
        file.write(f"{HEAD}\r\n")
        writer = csv.writer(file)
        for _ in range(size):
            writer.writerow(_session(rng))
    return path


def _session(rng: random.Random) -> list[Any]:
    buys = rng.random() < 0.16
    pages = rng.randint(1, 60)
    value = round(rng.uniform(1, 60), 4) if buys or rng.random() < 0.1 else 0
    early: list[Any] = [0, 0, 0, 0, pages, pages * rng.randint(5, 60), 0, round(rng.uniform(0.001, 0.06), 4)]
    if rng.random() < 0.02:
        early = [""] * len(early)
    region, visitor = rng.randint(1, 9), rng.choices(VISITORS, (80, 18, 2))[0]
    weekend = rng.random() < 0.25
    late = [value, 0, rng.choice(("May", "Nov")), 2, 2, region, 1, visitor, str(weekend).upper(), str(buys).upper()]
    return [*early, *late]


@dataclass
class Shop:
    """The workspace, its web server and what the far sides hold."""

    workspace: Workspace
    web: Web
    receiver: Receiver
    mailbox: Mailbox

    def start(self, file: Path, *options: str) -> "subprocess.Popen[str]":
        """Begin `manage.py replay`, as a user does."""
        argv = [sys.executable, "manage.py", "replay", str(file), "--url", self.web.url, "--json", *options]
        return subprocess.Popen(
            argv, cwd=ROOT, env=self.workspace.env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def replay(self, file: Path, *options: str, status: int = 0) -> dict[str, Any]:
        """Its report, once it has ended with `status`."""
        process = self.start(file, *options)
        said, complained = process.communicate(timeout=300)
        assert process.returncode == status, complained
        return json.loads(said)


@pytest.fixture
def build(workspace: Workspace, live_web: Web) -> Iterator[Callable[..., Shop]]:
    """Make the shop with `build(unwilling)`: addresses on the do-not-contact list."""
    with far_sides() as (receiver, mailbox):

        def make(*unwilling: str) -> Shop:
            shop.build(receiver=receiver.url, smtp_port=mailbox.port, unwilling=list(unwilling))
            return Shop(workspace, live_web, receiver, mailbox)

        yield make
