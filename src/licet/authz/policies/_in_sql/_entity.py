"""Which entity of a SELECT a policy restricts: its model, a subclass of it, or an alias.

A policy restricts the rows of what it is about. A statement that selects something else is refused,
because a criterion beside it binds nothing: the database would return every row of the other table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapper, QueryableAttribute
from sqlalchemy.orm.util import AliasedInsp
from sqlalchemy.sql.visitors import iterate

from licet.authz._places import invalid

__all__ = ["own_entity", "restricted_entity", "selects_entity_first"]


def restricted_entity(statement: Any, model: type[Any]) -> Any:
    """The model itself, or the alias of it that the statement selects.

    Columns come first; a statement that selects no entity, such as a count, is about what it
    selects from and joins.

    Raises:
        InvalidCondition: it is no SELECT, selects from something else, or has the model twice.
    """
    mapper = sa.inspect(model)
    if not isinstance(statement, sa.Select):
        raise invalid(f"filter takes select({model.__name__})…, not {statement!r}.")
    found = _entities(statement._raw_columns) or _sources(statement)
    fitting = {one for one in found if _is_kind_of(one, mapper) and _is_of_tables(one)}
    aliases = {one for one in fitting if not isinstance(one, Mapper)}
    if not fitting and not found and _has_table_alone(statement, mapper):
        return model
    if not fitting:
        raise invalid(
            f"The policy is about {model.__name__}, and the statement selects "
            f"{_named(found, statement)}: no row of it would be asked about. Select "
            f"{model.__name__} or aliased({model.__name__}); in a statement about something else "
            "write .where(policy.criterion(identity, entity=…))."
        )
    if len(aliases) + (len(fitting) > len(aliases)) > 1:
        raise invalid(
            f"The statement has {model.__name__} more than once: write "
            ".where(policy.criterion(identity, entity=…)) for each of them."
        )
    return aliases.pop().entity if aliases else model


def own_entity(entity: Any, model: type[Any]) -> Any:
    """The entity, which must be the model, a subclass of it, or an alias; None stays None.

    Raises:
        InvalidCondition: it is something else, whose rows the criterion would not restrict.
    """
    if entity is None:
        return None
    found: Any = sa.inspect(entity, raiseerr=False)
    if isinstance(found, Mapper | AliasedInsp) and _is_kind_of(found, sa.inspect(model)):
        return entity
    name = found.mapper.class_.__name__ if hasattr(found, "mapper") else repr(entity)
    raise invalid(
        f"The policy is about {model.__name__}, and the entity is {name}: no row of it would be "
        f"asked about. Give {model.__name__}, a subclass of it, or an alias of one."
    )


def _is_kind_of(entity: Any, mapper: Mapper[Any]) -> bool:
    """Whether its objects are the mapper's, from the same table."""
    is_elsewhere = entity.mapper.concrete and entity.mapper is not mapper
    return entity.mapper.isa(mapper) and not is_elsewhere


def selects_entity_first(statement: sa.Select[Any], entity: Any) -> bool:
    """Whether each row begins with an object of the entity or of a subclass."""
    first = statement._raw_columns[0]
    found = first._annotations.get("parententity")
    is_whole = isinstance(first, sa.FromClause)
    wanted = sa.inspect(entity)
    if isinstance(wanted, Mapper):
        return is_whole and isinstance(found, Mapper) and found.isa(wanted)
    return is_whole and found is wanted


def _entities(parts: Iterable[Any]) -> set[Any]:
    """The mappers and aliases that the parts of a statement belong to, none in a subquery."""
    return {
        entity
        for part in parts
        for one in _within(part)
        if isinstance(entity := one._annotations.get("parententity"), Mapper | AliasedInsp)
    }


def _within(part: Any) -> Iterator[Any]:
    """The part and what it is made of; a subquery is not looked into."""
    if "parententity" in part._annotations:
        yield part
    elif not isinstance(part, sa.SelectBase | sa.Subquery | sa.Exists | sa.ScalarSelect):
        yield part
        for child in part.get_children():
            yield from _within(child)


def _sources(statement: Any) -> set[Any]:
    """What the statement selects from and joins, as far as it is mapped."""
    targets = [target for target, *_ in statement._setup_joins]
    related = {one.entity for one in targets if isinstance(one, QueryableAttribute)}
    others = (one for one in targets if not isinstance(one, QueryableAttribute))
    return related | _entities([*statement._from_obj, *others])


def _is_of_tables(entity: Any) -> bool:
    """Whether it is a class, or an alias of a class's own tables and not of a subquery."""
    if isinstance(entity, Mapper) or _is_alias_of_join(entity):
        return True
    return not any(isinstance(one, sa.Subquery | sa.CTE) for one in iterate(entity.selectable))


def _is_alias_of_join(entity: AliasedInsp[Any]) -> bool:
    """Whether it is what `aliased` makes of a joined subclass: a subquery of the whole join."""
    if not isinstance(entity.selectable, sa.Subquery):
        return False
    selected, join = entity.selectable.element, entity.mapper.selectable
    return isinstance(join, sa.Join) and bool(selected.compare(_whole(join)))


def _has_table_alone(statement: Any, mapper: Mapper[Any]) -> bool:
    """Whether its table is selected from as a table, all of whose rows are the model's.

    Beside an alias of the table, or as one of several that the class is mapped to, nobody knows
    whose rows are meant.
    """
    if mapper.inherits is not None or not isinstance(mapper.selectable, sa.Table):
        return False
    parts = [part for source in statement.get_final_froms() for part in _joined(source)]
    aliased = [getattr(part, "element", None) for part in parts]
    return mapper.selectable in parts and mapper.selectable not in aliased


def _joined(source: Any) -> list[Any]:
    if isinstance(source, sa.Join):
        return [*_joined(source.left), *_joined(source.right)]
    return [source]


def _named(entities: Iterable[Any], statement: Any) -> str:
    names = {one.mapper.class_.__name__ for one in entities if _is_of_tables(one)}
    if names != {one.mapper.class_.__name__ for one in entities}:
        names.add("a subquery")
    for source in () if names else statement.get_final_froms():
        names.update(
            one.name if isinstance(one, sa.Table) else "a subquery" for one in _joined(source)
        )
    return ", ".join(sorted(names)) or "nothing"


def _whole(join: sa.Join) -> sa.Select[Any]:
    return join.select().set_label_style(sa.LABEL_STYLE_TABLENAME_PLUS_COL).correlate(None)
