"""The stored steps of one action, read in batches as a later attempt asks for them.

What each step was is read for some hundred places at a time, the results for as many as have few
bytes together. So an attempt over 100,000 steps takes no more memory than one over ten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

__all__ = ["Mark", "Recorded", "StepsOf", "Stored"]

MARKS: Final = 256  # at a time
RESULT_BYTES: Final = 1024 * 1024  # of results at a time, or one that is longer


class Mark(NamedTuple):
    """What a step was: its place, counted from 1, its function, and a digest of its arguments."""

    place: int
    function: str
    digest: str


class Stored(NamedTuple):
    """A stored step without its result; `key` is its name and a count."""

    key: str
    mark: Mark
    size_bytes: int

    @property
    def has_raised(self) -> bool:
        """Whether it raised an exception, which its handler caught."""
        return not self.size_bytes


class StepsOf(Protocol):
    """Reads the steps of an action; `licet.actions.durable.store.runs.Runs` is one."""

    def step_counts(self, held: Any) -> tuple[int, int]:
        """The last place, 0 if there is none, and how many steps have no place."""
        ...

    def step_marks(self, held: Any, first: int, limit: int) -> Sequence[Stored]:
        """Stored steps from a place on, in the order of their places."""
        ...

    def step_results(self, held: Any, first: int, last: int) -> Sequence[tuple[int, str]]:
        """Places, and the results there as JSON, from one place to another."""
        ...

    def step_without_place(self, held: Any, key: str) -> str | None:
        """The result of a step that an earlier licet stored."""
        ...


class Recorded:
    """The stored steps of the action that a worker holds.

    Args:
        persist: calls a function that asks the database, again while that is away.
        is_empty: nothing can be stored: this is the first claim of the action.
    """

    def __init__(
        self,
        held: Any,
        runs: StepsOf,
        persist: Callable[[Callable[[], Any]], Any],
        *,
        is_empty: bool,
    ) -> None:
        self._held = held
        self._runs = runs
        self._persist = persist
        self._counts: tuple[int, int] | None = (0, 0) if is_empty else None
        self._marks: dict[int, Stored] = {}
        self._known = range(0)  # the places that were asked for last
        self._results: dict[int, str] = {}

    def refresh(self) -> None:
        """Read anew what is asked for next: this attempt has stored more."""
        self._counts, self._known = None, range(0)
        self._results.clear()

    @property
    def last_place(self) -> int:
        """The last place at which something is stored, or 0."""
        return self._counted()[0]

    @property
    def has_steps_without_place(self) -> bool:
        """Whether an earlier licet stored some."""
        return self._counted()[1] > 0

    def _counted(self) -> tuple[int, int]:
        if self._counts is None:
            self._counts = self._persist(lambda: self._runs.step_counts(self._held))
        return self._counts

    def at(self, place: int) -> Stored | None:
        """What is stored at a place."""
        if place > self.last_place:
            return None
        if place not in self._known:
            found = self._persist(lambda: self._runs.step_marks(self._held, place, MARKS))
            self._marks = {each.mark.place: each for each in found}
            is_last = len(found) < MARKS
            self._known = range(place, self.last_place + 1 if is_last else max(self._marks) + 1)
        return self._marks.get(place)

    def first_from(self, place: int) -> Stored | None:
        """The first that is stored at a place or behind it."""
        if place > self.last_place:
            return None
        found = self._persist(lambda: self._runs.step_marks(self._held, place, 1))
        return found[0] if found else None

    def result(self, place: int) -> str:
        """The result at a place that has one, as JSON; it is not kept here for a second time."""
        if place not in self._results:
            last = self._last_of_batch(place)
            found = self._persist(lambda: self._runs.step_results(self._held, place, last))
            self._results = dict(found)
        return self._results.pop(place)

    def _last_of_batch(self, place: int) -> int:
        stored, last = self.at(place), place
        n_bytes = 0 if stored is None else stored.size_bytes
        while last + 1 in self._known:
            following = self._marks.get(last + 1)
            n_bytes += 0 if following is None else following.size_bytes
            if n_bytes > RESULT_BYTES:
                break
            last += 1
        return last

    def without_place(self, key: str) -> str | None:
        """The result of a step that an earlier licet stored under its name and a count."""
        if not self.has_steps_without_place:
            return None
        found: str | None = self._persist(lambda: self._runs.step_without_place(self._held, key))
        return found
