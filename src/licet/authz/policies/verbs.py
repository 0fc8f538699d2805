"""What a caller may want to do with objects: the five usual verbs, and an app's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from licet.authz._places import invalid

__all__ = ["ALL", "CREATE", "DELETE", "LIST", "UPDATE", "USUAL", "VIEW", "Verb", "one_verb"]

USUAL: Final = ("LIST", "VIEW", "CREATE", "UPDATE", "DELETE")


@dataclass(frozen=True)
class Verb:
    """One verb, or several joined by ``|``; `ALL` is every verb, an app's own included."""

    names: frozenset[str]
    is_all: bool = False
    _only: str | None = field(default=None, repr=False, compare=False)

    def __init__(self, *names: str) -> None:
        if not names or not all(isinstance(name, str) and name.isidentifier() for name in names):
            raise invalid(f"A verb is a word such as PUBLISH, not {', '.join(map(repr, names))}.")
        is_all = "ALL" in names
        # an app's own are told beside ALL, as policies know only those that they name
        told = set(names).difference(USUAL) if is_all else names
        object.__setattr__(self, "names", frozenset(told))
        object.__setattr__(self, "is_all", is_all)
        is_one = len(self.names) == 1 and not self.is_all
        object.__setattr__(self, "_only", names[0] if is_one else None)

    def __or__(self, other: Verb) -> Verb:
        if not isinstance(other, Verb):
            return NotImplemented
        return Verb(*self.names, *other.names)

    def covers(self, name: str) -> bool:
        """Whether the verb called `name` is among these."""
        return self.is_all or name in self.names

    @property
    def name(self) -> str:
        """The name of a verb that is one.

        Raises:
            InvalidCondition: these are several.
        """
        if self._only is None:
            raise invalid(f"One verb is wanted here, not {self}.")
        return self._only

    def __str__(self) -> str:
        return " | ".join(sorted(self.names))


def one_verb(verb: object) -> str:
    """The name of a verb that is one.

    Raises:
        InvalidCondition: it is several, or none at all, such as the name of one.
    """
    if not isinstance(verb, Verb):
        hint = ""
        if isinstance(verb, str):
            name = verb.upper()
            hint = (
                f": write {name}, from licet.authz" if name in USUAL else f": write Verb({verb!r})"
            )
        raise invalid(f"A verb such as VIEW is wanted here, not {verb!r}{hint}.")
    return verb.name


LIST: Final = Verb("LIST")
VIEW: Final = Verb("VIEW")
CREATE: Final = Verb("CREATE")
UPDATE: Final = Verb("UPDATE")
DELETE: Final = Verb("DELETE")
ALL: Final = Verb("ALL")
