"""An example beside what a server answered: values of its own, and the first place that differs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

__all__ = ["difference", "replaced"]

_MOST_SHOWN: Final = 120


def replaced(value: Any, given: Mapping[str, str]) -> Any:
    """The value with what a set-up made in place of what stands for it, also within texts."""
    if isinstance(value, dict):
        return {replaced(key, given): replaced(one, given) for key, one in value.items()}
    if isinstance(value, list):
        return [replaced(one, given) for one in value]
    if isinstance(value, int) and not isinstance(value, bool):
        found = given.get(str(value))
        return int(found) if found is not None and found.lstrip("-").isdecimal() else value
    if not isinstance(value, str) or not given:
        return value
    standing = "|".join(sorted(map(re.escape, given), key=len, reverse=True))
    pattern = rf"(?<![A-Za-z0-9])(?:{standing})(?![A-Za-z0-9])"
    return re.sub(pattern, lambda found: given[found[0]], value)


def difference(example: Any, answer: Any, varies: Iterable[str]) -> str | None:
    """Where the answer is not what the example says, and how; None where it is.

    The answer may have more members than the example, and more elements: each element of the
    example is one of them, and a list without elements is one. At the places of `varies`, JSON
    pointers with ``*`` for any one name, only the type is compared.
    """
    return next(_differences(example, answer, "", tuple(varies)), None)


def _differences(example: Any, answer: Any, place: str, varies: tuple[str, ...]) -> Iterator[str]:
    where = place or "the whole answer"
    if _kind(example) != _kind(answer):
        yield f"{where}: the example has {_shown(example)}, and the answer {_shown(answer)}"
    elif any(_is_at(place, one) for one in varies):
        return
    elif isinstance(example, dict):
        for name, one in example.items():
            inner = f"{place}/{name}"
            if name not in answer:
                yield f"{inner}: the example has {_shown(one)}, and the answer no such member"
            else:
                yield from _differences(one, answer[name], inner, varies)
    elif isinstance(example, list):
        yield from _of_elements(example, answer, place, varies)
    elif example != answer:
        yield f"{where}: the example has {_shown(example)}, and the answer {_shown(answer)}"


def _of_elements(
    example: list[Any], answer: list[Any], place: str, varies: tuple[str, ...]
) -> Iterator[str]:
    if len(example) > len(answer) or (answer and not example):
        where = place or "the whole answer"
        yield f"{where}: the example has {_shown(example)}, and the answer {_shown(answer)}"
    for number, one in enumerate(example):
        inner = f"{place}/{number}"
        found = [next(_differences(one, other, inner, varies), None) for other in answer]
        if None not in found:
            told = found[0] if len(found) == 1 else None
            yield told or f"{inner}: no element of the answer is {_shown(one)}"


def _is_at(place: str, pointer: str) -> bool:
    names, wanted = place.split("/"), pointer.split("/")
    return len(names) == len(wanted) and all(map(fnmatchcase, names, wanted))


def _kind(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(type(value))
    return "number" if isinstance(value, int | float) else str(type(value))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
