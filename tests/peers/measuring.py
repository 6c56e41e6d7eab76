"""CPU times of programs that run alternately on one core."""

import os
import subprocess
import time


class Rounds:
    """How often is measured: until no minimum has improved by more than `tolerance` in two rounds."""

    def __init__(self, quick):
        self.quick = quick
        self.least, self.most, self.tolerance = (1, 1, 1.0) if quick else (3, 9, 0.01)

    def alternate(self, contenders):
        """Runs every contender once a round; each returns seconds. Returns the smallest of each, and the rounds."""
        shortest, calm = {}, 0
        for count in range(1, self.most + 1):
            before = dict(shortest)
            for name, run in contenders.items():
                shortest[name] = min([*run(), shortest.get(name, float("inf"))])
            improved = any(shortest[name] < (1 - self.tolerance) * before.get(name, float("inf")) for name in contenders)
            calm = 0 if improved else calm + 1
            if count >= self.least and calm >= 2:
                break
        return shortest, count


def pinned(core):
    """Returns what a child process calls to stay on a core; all cores for None."""
    return None if core is None else lambda: os.sched_setaffinity(0, {core})


def run(command, core=None):
    """Runs a program to its end. Returns what it printed, its CPU and wall seconds, and its peak memory in bytes."""
    start = time.perf_counter()
    child = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=pinned(core))
    printed, complaint = child.stdout.read(), child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if child.returncode:
        raise SystemExit(f"{' '.join(map(str, command))[:400]}: {(printed or complaint).decode()[:2000]}")
    return printed.decode(), usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * 1024

