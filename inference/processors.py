"""How many processors there are to use."""

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


def _quotas(root: Path) -> Iterator[float]:
    """The limits, in processors, of the control groups that this process is in and of those around them."""
    groups = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = (line.split(":", 2) + ["", ""])[:3]
        if not controllers:
            mounts, files = (groups, groups / "unified"), ["cpu.max"]
        elif "cpu" in controllers.split(","):
            mounts, files = (groups / controllers, groups / "cpu"), ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
        else:
            continue
        # In a container the path may be the host's, of which only the end, or nothing, is visible here.
        for mount in mounts:
            group = mount / path.strip("/")
            for folder in (group, *group.parents):
                values = " ".join(_read(folder / file) for file in files).split()
                if len(values) == 2 and all(value.isdecimal() and int(value) for value in values):  # not "max", not -1
                    yield int(values[0]) / int(values[1])
                if folder == mount:
                    break


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
