"""What processes cost: CPU time and memory, from /proc."""

import os
from pathlib import Path

TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")


def cpu_us(pid: int) -> float:
    """User and system time of the whole process so far, in microseconds; the kernel counts in hundredths of a second."""
    # The second field, the name, may hold spaces; it ends with the last parenthesis.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_US


def pss_kb(pid: int) -> int:
    """Proportional set size: a page shared by n processes counts one n-th in each."""
    return rollup_kb(pid, "Pss")


def private_kb(pid: int) -> int:
    """What the process alone has: unlike the proportional size, it does not grow when another process ends."""
    return rollup_kb(pid, "Pss_Anon")


def rollup_kb(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise ValueError(f"no {name} for {pid}")


class CPUMeter:
    """CPU time that named processes take between creation and `per`."""

    def __init__(self, pids: dict[str, int]):
        self.pids = pids
        self.start = {name: cpu_us(pid) for name, pid in pids.items()}

    def per(self, count: int) -> dict[str, float]:
        """Microseconds of each process for each of `count` units of work, and their sum."""
        used = {name: cpu_us(pid) - self.start[name] for name, pid in self.pids.items()}
        used["sum"] = sum(used.values())
        return {name: round(value / count, 2) for name, value in used.items()}
