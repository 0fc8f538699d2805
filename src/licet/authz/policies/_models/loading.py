"""Which relationships of an object were loaded in part, so that what is there is not all there is.

A statement can load some of the related objects only: `contains_eager` beside a WHERE,
``selectinload(Event.sessions.and_(…))``, `noload`, `with_loader_criteria`. SQLAlchemy then shows
them as the whole relationship. What a statement does is known when it loads an object, so it is
noted there, in the `info` of the object's state, which stays with the object and is pickled with
it.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.orm import InstanceState, Load, Mapper, RelationshipProperty
from sqlalchemy.orm.interfaces import UserDefinedOption

__all__ = ["is_known_whole"]

_NOTE: Final = "licet.partly_loaded"
_ALL: Final = "*"
_WHOLE: Final[frozenset[str]] = frozenset()
_UNKNOWN: Final = frozenset({_ALL})


def is_known_whole(state: InstanceState[Any], name: str) -> bool:
    """Whether what is loaded into the relationship `name` is all that the database has."""
    noted = state.info.get(_NOTE) if "info" in state.__dict__ else None
    return not noted or not (name in noted or _ALL in noted)


@event.listens_for(Mapper, "load", raw=True)
def _loaded(state: InstanceState[Any], context: Any) -> None:
    """Note what the statement that loads an object loads in part."""
    if context is None:  # copied by merge(load=False), from wherever that came
        _note(state, _UNKNOWN)
    else:
        _note(state, _partly_loaded(context))


@event.listens_for(Mapper, "refresh", raw=True)
def _refreshed(state: InstanceState[Any], context: Any, _names: Any) -> None:
    """The same of an object that was there, and gets what it did not have yet."""
    if context is not None:
        _note(state, _partly_loaded(context))


def _note(state: InstanceState[Any], names: frozenset[str]) -> None:
    if names:
        state.info[_NOTE] = state.info.get(_NOTE, _WHOLE) | names


def _partly_loaded(context: Any) -> frozenset[str]:
    """The names of the relationships that a statement loads in part, found once a statement."""
    found: frozenset[str] | None = context.attributes.get(_NOTE)
    if found is None:
        selects = (context.query, *getattr(context.query, "_memoized_select_entities", ()))
        options = (option for one in selects for option in one._with_options)
        found = _WHOLE.union(*map(_narrowed, options))
        context.attributes[_NOTE] = found
    return found


def _narrowed(option: Any) -> frozenset[str]:
    """The names of the relationships that one option narrows; all, of an unknown kind."""
    if isinstance(option, UserDefinedOption):  # changes nothing by itself
        return _WHOLE
    if hasattr(option, "strategy"):  # of everything: lazyload("*"), noload("*")
        return _UNKNOWN if _is_never(option.strategy) else _WHOLE
    if not isinstance(option, Load):
        return _UNKNOWN
    elements = (element for element in option.context if _is_narrowing(element))
    return _WHOLE.union(*map(_names, elements))


def _is_narrowing(element: Any) -> bool:
    return bool(
        element._extra_criteria
        or "eager_from_alias" in element.local_opts
        or _is_never(element.strategy)
        or getattr(element, "_of_type", None) is not None
    )


def _is_never(strategy: Any) -> bool:
    return ("lazy", "noload") in (strategy or ())


def _names(element: Any) -> frozenset[str]:
    """The relationship at the end of the element's path, or all of them."""
    on_path = [part for part in element.path.path if isinstance(part, RelationshipProperty)]
    if element.is_token_strategy or not on_path:
        return _UNKNOWN
    return frozenset({on_path[-1].key})
