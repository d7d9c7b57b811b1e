"""How many processors there are to use, and how much memory."""

import math
import os
from collections.abc import Iterator
from pathlib import Path


def usable_processors(root: Path = Path("/")) -> int:
    """Processors that this process may use, at least 1: those it may be scheduled on, or fewer where its control groups
    (Linux, versions 1 and 2) grant it less time than all of them have, as in a container with a limit.

    Args:
        root: of the file system, in which proc/self/cgroup and sys/fs/cgroup are read.
    """
    scheduled = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(min([scheduled, *map(math.ceil, _quotas(root))]), 1)


def usable_memory(root: Path = Path("/")) -> float:
    """Bytes that this process may use: the machine's, or fewer where its control groups grant less; without end where the system
    does not say.

    Args:
        root: as for `usable_processors`.
    """
    try:
        there = float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):  # not on Windows
        there = math.inf
    return min(
        [there, *(float(most) for most, *_ in _limits(root, "memory", ["memory.max"], ["memory.limit_in_bytes"]))]
    )


def _quotas(root: Path) -> Iterator[float]:
    """The limits, in processors, of the control groups that this process is in and of those around them."""
    for values in _limits(root, "cpu", ["cpu.max"], ["cpu.cfs_quota_us", "cpu.cfs_period_us"]):
        if len(values) == 2:
            yield values[0] / values[1]


def _limits(root: Path, controller: str, second: list[str], first: list[str]) -> Iterator[list[int]]:
    """What files of version 2, or of 1, say of the control groups that this process is in and of those around them, where all of it
    are numbers."""
    groups = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = (line.split(":", 2) + ["", ""])[:3]
        if not controllers:
            mounts, files = (groups, groups / "unified"), second
        elif controller in controllers.split(","):
            mounts, files = (groups / controllers, groups / controller), first
        else:
            continue
        # In a container the path may be the host's, of which only the end, or nothing, is visible here.
        for mount in mounts:
            group = mount / path.strip("/")
            for folder in (group, *group.parents):
                values = " ".join(_read(folder / file) for file in files).split()
                if values and all(value.isdecimal() and int(value) for value in values):  # not "max", not -1
                    yield [int(value) for value in values]
                if folder == mount:
                    break


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
