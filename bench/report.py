# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the benchmarks share: families of processes and their memory, and tables in Markdown."""

import os
from pathlib import Path


def descendants(root):
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(folder.name))
    found, todo = [], [root]
    while todo:
        process = todo.pop()
        found.append(process)
        todo.extend(parents.get(process, []))
    return found


def rollup(process):
    values = {}
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]:
        name, rest = line.split(":", 1)
        values[name] = int(rest.split()[0]) * 1024
    return values


def memfd_bytes(processes):
    """Pages in use of each memfd of these processes, once."""
    seen = {}
    for process in processes:
        try:
            descriptors = list(Path(f"/proc/{process}/fd").iterdir())
        except OSError:
            continue
        for descriptor in descriptors:
            try:
                if os.readlink(descriptor).startswith("/memfd:"):
                    status = os.stat(descriptor)
                    seen[(status.st_dev, status.st_ino)] = status.st_blocks * 512
            except OSError:
                continue
    return sum(seen.values())


def show_time(value_ns):
    if value_ns is None:
        return "–"
    for unit, factor in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if value_ns >= factor:
            return f"{value_ns / factor:.3g} {unit}"
    return f"{value_ns:.3g} ns"


def show_bytes(value):
    return "–" if value is None else f"{value / 1e6:.2f} MB"


def ratio(a, b):
    return None if a is None or not b else a / b


def show_ratio(value):
    return "–" if value is None else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def row(*cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def least(values):
    """Others disturb a measurement only upwards."""
    there = [value for value in values if value is not None]
    return min(there) if there else None
