"""The places of a handler's steps and pauses, and whether each is what is stored there.

Places are counted from 1 in the order of the handler's calls. A step that raised keeps its place
while the same call is made again; when the handler goes on with another, it is passed over. What is
behind an empty place is only ever the rest of one `parallel`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from licet.actions.durable.steps.recorded import Mark, Recorded, Stored

__all__ = ["PAUSE", "Asked", "Mismatch", "Places", "Taken"]

PAUSE: Final = "pause"  # in place of the function; those of functions have a colon
_REMEDY: Final = (
    "The handler, or what it read outside its steps, is not the same as in an earlier attempt. "
    "Give a handler that makes other steps another version."
)


class Mismatch(Exception):
    """A handler asks for another step than is stored; the text names both."""


class Asked(NamedTuple):
    """A step or a pause that a handler asks for."""

    name: str
    function: str
    digest: str


class Taken(NamedTuple):
    """A call that has its place: under which key it is stored, and what is stored there."""

    key: str
    mark: Mark
    stored: Stored | None

    @property
    def is_done(self) -> bool:
        """Whether its result is stored."""
        return self.stored is not None and not self.stored.has_raised


class Places:
    """Gives the calls of one attempt their places."""

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded
        self._next = 1
        self._counts: dict[str, int] = {}
        self._broken: tuple[list[Asked], list[Taken]] | None = None

    def take(self, asked: Sequence[Asked]) -> list[Taken]:
        """The places of calls that are made together.

        Raises:
            Mismatch: something else is stored there.
        """
        broken, self._broken = self._broken, None
        if broken is not None and broken[0] == list(asked) and not self._has_unplaced:
            keys = [taken.key for taken in broken[1]]
            first = broken[1][0].mark.place
        else:
            keys = [self._key(each.name) for each in asked]
            first = self._next
            self._next += len(asked)
        return [
            self._checked(each, key, first + number, last=first + len(asked) - 1)
            for number, (each, key) in enumerate(zip(asked, keys, strict=True))
        ]

    def raised(self, asked: Sequence[Asked], taken: list[Taken]) -> None:
        """Of these calls some raised; the same, made again, have the same places."""
        if len(taken) > 1:  # of the others some are stored now
            self._recorded.refresh()
        self._broken = (list(asked), taken)

    def passed_over(self, asked: Sequence[Asked]) -> list[Taken]:
        """The calls that raised, if these are not the same again: they are to be marked so."""
        if self._broken is None or self._broken[0] == list(asked):
            return []
        return [taken for taken in self._broken[1] if self._recorded.at(taken.mark.place) is None]

    def end(self) -> None:
        """The handler has returned.

        Raises:
            Mismatch: it asked for less than is stored.
        """
        left = self._recorded.first_from(self._next)
        if left is not None:
            raise Mismatch(
                f"Place {left.mark.place} holds {_stored(left)}, and the handler returned without "
                f"asking for it. {_REMEDY}"
            )

    @property
    def _has_unplaced(self) -> bool:
        return self._recorded.has_steps_without_place

    def _key(self, name: str) -> str:
        number = self._counts[name] = self._counts.get(name, 0) + 1
        return f"{name} #{number}"

    def _checked(self, asked: Asked, key: str, place: int, *, last: int) -> Taken:
        stored = self._recorded.at(place)
        taken = Taken(key, Mark(place, asked.function, asked.digest), stored)
        if stored is not None:
            self._compare(asked, stored)
        elif place <= last < self._recorded.last_place and not self._has_unplaced:
            found = self._recorded.first_from(place)
            behind = "" if found is None else f"place {found.mark.place} holds {_stored(found)}"
            raise Mismatch(
                f"The handler asks for {_asked(asked)} at place {place}, where nothing is stored, "
                f"while {behind}. {_REMEDY}"
            )
        return taken

    def _compare(self, asked: Asked, stored: Stored) -> None:
        is_same = _name_of(stored) == asked.name and _is_same(stored.mark.function, asked.function)
        if is_same and stored.mark.digest == asked.digest:
            return
        others = " with other arguments" if stored.mark.digest != asked.digest else ""
        raise Mismatch(
            f"Place {stored.mark.place} holds {_stored(stored)}, and the handler asks for "
            f"{_asked(asked)}{others}. {_REMEDY}"
        )


def _name_of(stored: Stored) -> str:
    return stored.key.rpartition(" #")[0]


def _is_same(one: str, other: str) -> bool:
    """Whether two names are of one function; a program's own module has its file's name alone."""
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def _stored(stored: Stored) -> str:
    return _described(_name_of(stored), stored.mark.function)


def _asked(asked: Asked) -> str:
    return _described(asked.name, asked.function)


def _described(name: str, function: str) -> str:
    return f"the {name!r}" if function == PAUSE else f"the step {name!r} of {function}"
