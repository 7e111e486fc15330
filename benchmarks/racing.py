"""Contenders take turns at a job, each in a process of its own; a wrong result is an error, a slow one is a figure.

This process stays small and imports nothing large: a child's peak memory includes that of its parent at the moment it
is born.
"""

from __future__ import annotations

import math
import os
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
OWN = "autarky"


class WrongResult(Exception):
    """A contender failed, or its figures are not those of the reference."""


@dataclass(frozen=True)
class Run:
    """Seconds of wall clock and of processor, and peak memory in MB, of one process."""

    seconds: float
    processor: float
    memory: float


@dataclass
class Contender:
    """One way to do a job; `checked` = what it leaves is compared, `without` = why it did not run."""

    name: str
    command: list[str]
    output: Path
    checked: bool = True
    without: str = ""
    runs: list[Run] = field(default_factory=list)


@dataclass
class Job:
    """One piece of work at one size; the first contender is autarky.

    Attributes
    ----------
    kind, rows : the work, and the rows of flows that it is asked of
    check : arguments of `checks.py` before and after the two results; empty = nothing is compared
    reference : the contender that the others must agree with
    """

    kind: str
    title: str
    rows: int
    years: int
    contenders: list[Contender]
    check: tuple[str, ...] = ()
    reference: str = "hand-written SQL"

    def named(self, name: str) -> Contender:
        """Return one contender."""
        return next(c for c in self.contenders if c.name == name)


def median(contender: Contender, what: str) -> float:
    """Return the median of `seconds`, `processor` or `memory`."""
    return statistics.median(getattr(r, what) for r in contender.runs)


def ratios(job: Job, name: str) -> list[float]:
    """Return a contender's seconds as a multiple of autarky's, round by round."""
    pairs = zip(job.named(name).runs, job.contenders[0].runs, strict=False)
    return [other.seconds / own.seconds for other, own in pairs]


def compete(job: Job, rounds: int) -> None:
    """Run all contenders in turn, `rounds` times; compare the results of the first round; remove them."""
    for turn in range(rounds):
        for contender in (c for c in job.contenders if not c.without):
            remove(contender.output)
            try:
                run = timed(contender.command, contender.output.parent / "log")
            except WrongResult as error:
                # Ours and the reference must run; that another cannot (its memory, say) is a result.
                if contender in (job.contenders[0], job.named(job.reference)):
                    raise
                contender.without = f"it failed: {str(error).splitlines()[-1]}"
                say(f"{job.title}, {job.rows:,} rows: {contender.name}: {contender.without}")
                continue
            contender.runs.append(run)
            spent = f"{run.seconds:.2f} s, processor {run.processor:.2f} s, {run.memory:,.0f} MB"
            say(f"{job.title}, {job.rows:,} rows: {contender.name}: {spent}")
            if turn or not (job.check and contender.checked):
                remove(contender.output)
        if not turn and job.check:
            _compare(job)
        remove(*(c.output for c in job.contenders))


def _compare(job: Job) -> None:
    reference = job.named(job.reference)
    for contender in job.contenders:
        if contender is reference or contender.without or not contender.checked:
            continue
        what, *rest = job.check
        compared = [str(reference.output), str(contender.output), *rest]
        command = [sys.executable, str(HERE / "checks.py"), what, *compared]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            said = done.stdout.strip() or done.stderr.strip()[-2000:]
            raise WrongResult(f"{job.title}: {contender.name}: {said}")


def timed(command: list[str], log: Path) -> Run:
    """Run a command to its end in a process of its own."""
    os.sync()
    with log.open("wb") as target:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=target, stderr=target)
        _, status, used = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        last = log.read_text(errors="replace")[-2000:]
        raise WrongResult(f"{' '.join(command[:4])} … ended with {child.returncode}: {last}")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / unit)


def autarky(*arguments: object) -> list[str]:
    """Return the command that a user types."""
    script = Path(sys.executable).with_name(OWN)
    start = [str(script)] if script.is_file() else [sys.executable, "-m", "autarky.cli"]
    return [*start, *map(str, arguments)]


def other(name: str, output: Path, *inputs: object) -> list[str]:
    """Return the command of a contender; see `contend.py`."""
    return [sys.executable, str(HERE / "contend.py"), name, str(output), *map(str, inputs)]


def say(text: str) -> None:
    """Write a line for whoever waits."""
    print(text, file=sys.stderr, flush=True)


def remove(*paths: Path) -> None:
    """Remove files and directories, if they are there."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def memory(field_name: str) -> int:
    """Return a line of the system's account of its memory, in bytes."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith(f"{field_name}:"):
            return int(line.split()[1]) * 1024
    return math.nan  # type: ignore[return-value]
