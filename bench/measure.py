"""What running costs: CPU seconds and memory of groups of processes, each group a stage."""

from collections.abc import Iterable, Mapping

import psutil


def cpu_seconds(groups: Mapping[str, Iterable[int]]) -> dict[str, float]:
    """CPU seconds used so far by each group's process trees, ended children included."""
    return {name: sum(_tree_cpu(pid) for pid in pids) for name, pids in groups.items()}


def memory_mb(groups: Mapping[str, Iterable[int]]) -> dict[str, float]:
    """Proportional set size of each group's process trees, in MB: shared pages are counted once."""
    return {
        name: round(sum(one.memory_full_info().pss for pid in pids for one in _tree(pid)) / 2**20, 1)
        for name, pids in groups.items()
    }


def _tree(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def _tree_cpu(pid: int) -> float:
    total = 0.0
    for one in _tree(pid):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total
