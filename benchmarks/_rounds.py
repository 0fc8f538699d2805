"""Timing of functions in turns, so that a disturbance meets all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

Call = Callable[[], Any]
Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Times:
    """µs a call in each round: CPU time of this process, and time on the wall."""

    rounds: list[tuple[float, float]]

    @property
    def cpu(self) -> float:
        return statistics.median(cpu for cpu, _ in self.rounds)

    @property
    def wall(self) -> float:
        return statistics.median(wall for _, wall in self.rounds)

    def cpu_beside(self, other: Times) -> float:
        """The median of the rounds' ratios, for which a disturbed round counts once."""
        pairs = zip(self.rounds, other.rounds, strict=True)
        return statistics.median(mine[0] / theirs[0] for mine, theirs in pairs)

    def wall_beside(self, other: Times) -> float:
        pairs = zip(self.rounds, other.rounds, strict=True)
        return statistics.median(mine[1] / theirs[1] for mine, theirs in pairs)


def in_turns(
    contestants: Mapping[Name, Call], rounds: int, seconds: float = 0.02
) -> dict[Name, Times]:
    """The times of `rounds` rounds, in each of which each contestant runs for some `seconds`."""
    calls = {name: _how_many(call, seconds) for name, call in contestants.items()}
    times: dict[Name, list[tuple[float, float]]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, call in contestants.items():
            times[name].append(_timed(call, calls[name]))
    return {name: Times(found) for name, found in times.items()}


def _how_many(call: Call, seconds: float) -> int:
    """Calls that take about that long; also warms up."""
    number = 1
    while True:
        _, wall = _timed(call, number)
        if wall * number >= seconds * 1e6 / 4:
            return max(1, round(seconds * 1e6 / wall))
        number *= 4


def _timed(call: Call, number: int) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(number):
        call()
    return (
        (time.process_time() - cpu) / number * 1e6,
        (time.perf_counter() - wall) / number * 1e6,
    )


def verdict(claim: str, value: float, limit: float, unit: str) -> str:
    """One line that says whether a claim holds."""
    outcome = "holds" if value <= limit else "FAILS"
    return f"{claim} ≤ {limit:g} {unit}: {value:.2f} {unit}, {outcome}"
