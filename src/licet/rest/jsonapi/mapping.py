"""What the models of resources say: keys, types of attributes, and relationships.

All is looked up once, when an app gets its resources, and what cannot be served is refused then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapper, RelationshipDirection, RelationshipProperty

from licet.authz import Policy
from licet.authz.policies._models.mapping import is_equality
from licet.authz.policies.verbs import VIEW
from licet.db.types import UTCDateTime
from licet.errors import ConfigurationError
from licet.errors.names import suggestion, with_article
from licet.rest.jsonapi.names import by_name
from licet.rest.jsonapi.resource import Attribute, Bound, Link, Resource, ToMany
from licet.rest.jsonapi.values import ValueType, as_text, read
from licet.rest.lookup import version_name

__all__ = ["bind_all", "pairs_of", "require_one_policy"]

_PYTHON: Final = (bool, int, str, float, Decimal, datetime, date, UUID)
_KEYS: Final = (int, str, UUID)


def bind_all(resources: Iterable[Resource]) -> list[Bound]:
    """The resources with what their models say.

    Raises:
        ConfigurationError: a name is not the model's, two resources have one name or model, or a
            relationship leads to a model without a resource.
    """
    listed = list(resources)
    by_model: dict[type[Any], Bound] = {}
    for resource in listed:
        if resource.model in by_model:
            raise ConfigurationError(f"{resource.model.__name__} has two resources.")
        by_model[resource.model] = Bound(resource, _key_of(resource))
    names = [name for one in listed for name in {one.type, one.url}]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigurationError(f"Two resources have the name {twice[0]!r}.")
    for bound in by_model.values():
        _fill(bound, by_model)
    require_one_policy(by_model.values(), (resource.policy for resource in listed))
    for resource in listed:
        resource.is_served = True
    return list(by_model.values())


def require_one_policy(bounds: Iterable[Bound], policies: Iterable[Policy]) -> None:
    """Refuse resources whose rows other policies decide about, as they are of a subclass.

    Raises:
        ConfigurationError: a subclass of a resource's model has a policy of its own.
    """
    models = {policy.model for policy in policies}
    for bound in bounds:
        for inner in sa.inspect(bound.model).self_and_descendants:
            if inner.class_ is not bound.model and inner.class_ in models:
                raise ConfigurationError(
                    f"The resource {bound.type} has rows of {inner.class_.__name__}, which has a "
                    f"policy of its own: serve the subclasses of {bound.model.__name__} by "
                    "resources of their own, and not their base."
                )


def _key_of(resource: Resource) -> Attribute:
    mapper = sa.inspect(resource.model)
    if len(mapper.primary_key) != 1:
        raise ConfigurationError(
            f"{resource.model.__name__} has a primary key of several columns, which is no id of a "
            "resource: give it a key of one column."
        )
    name = mapper.get_property_by_column(mapper.primary_key[0]).key
    if any(name in rule.names for rule in resource.policy.field_rules["hide"]):
        raise ConfigurationError(
            f"The policy {resource.policy.name} hides {name!r}, which is the id in every document "
            f"of {with_article(resource.type)}: leave it visible, or give the rows another key."
        )
    found = _value_type(mapper, name)
    if found.python not in _KEYS or found.choices:
        raise ConfigurationError(
            f"{resource.model.__name__}.{name} is no id of a resource: integers, texts and UUIDs "
            "are."
        )
    return Attribute(name, found, is_column=True, is_required=False)


def _fill(bound: Bound, by_model: dict[type[Any], Bound]) -> None:
    resource, mapper = bound.resource, sa.inspect(bound.model)
    known = set(mapper.all_orm_descriptors.keys())
    for name in (*resource.attributes, *resource.relationships):
        if name not in known:
            raise ConfigurationError(
                f"The resource {resource.type} shows {name!r}, and {bound.model.__name__} has no "
                f"such attribute: {suggestion(name, known)}"
            )
    for name in resource.attributes:
        _require_no_link(bound, name, by_model)
    bound.attributes = {name: _attribute(mapper, name) for name in resource.attributes}
    for name, sample in resource.samples.items():
        _require_sample(bound, name, sample)
    bound.links = {name: _link(bound, name, by_model) for name in resource.relationships}
    bound.attributes_by_name = by_name(bound.attributes.items())
    bound.links_by_name = by_name(bound.links.items())
    bound.version = version_name(bound.model)
    if resource.soft_delete is not None:
        _require_moment(bound, mapper, resource.soft_delete)
    if resource.also_by is not None:
        _require_name(bound, mapper, resource.also_by)


def _require_name(bound: Bound, mapper: Mapper[Any], name: str) -> None:
    """Refuse what does not stand for an id."""
    model, column = bound.model.__name__, mapper.columns.get(name)
    if not isinstance(column, sa.Column):
        raise ConfigurationError(f"{model}.{name} is no column, so it stands for no id.")
    if _python_of(column.type) is not str or isinstance(column.type, sa.Enum):
        raise ConfigurationError(
            f"{model}.{name} is no text, so it stands for no id in URLs: also_by is a unique text."
        )
    if bound.key.value_type.python is str:
        raise ConfigurationError(
            f"The ids of {with_article(bound.type)} are texts, so each text in a URL is one: "
            f"{model}.{name} stands for none, and also_by is for keys of numbers and UUIDs."
        )
    table: Any = column.table
    constraints = (c for c in table.constraints if isinstance(c, sa.UniqueConstraint))
    indexes = (i for i in table.indexes if i.unique and not _is_partial(i))
    if not any(list(one.columns) == [column] for one in (*constraints, *indexes)):
        raise ConfigurationError(
            f"{model}.{name} is not unique, so it stands for no id: declare it with unique=True."
        )


def _is_partial(index: sa.Index) -> bool:
    options = (index.dialect_kwargs.get(f"{name}_where") for name in ("sqlite", "postgresql"))
    return any(one is not None for one in options)


def _require_moment(bound: Bound, mapper: Mapper[Any], name: str) -> None:
    column = mapper.columns.get(name)
    if column is None or not column.nullable or _python_of(column.type) is not datetime:
        raise ConfigurationError(
            f"{bound.model.__name__}.{name} says since when {with_article(bound.type)} is in the "
            "trash, so it is a nullable column of datetimes."
        )


def _require_no_link(bound: Bound, name: str, by_model: Mapping[type[Any], Bound]) -> None:
    """Refuse the foreign key of a resource as an attribute, which would tell of hidden ones."""
    column = sa.inspect(bound.model).columns.get(name)
    if not isinstance(column, sa.Column) or column.primary_key:
        return
    tables = {one.column.table for one in column.foreign_keys}
    for other in by_model.values():
        if not tables.isdisjoint(sa.inspect(other.model).tables):
            raise ConfigurationError(
                f"{bound.model.__name__}.{name} is the key of {with_article(other.type)}, which it "
                "would tell to whoever does not see that: name the relationship."
            )


def _require_sample(bound: Bound, name: str, sample: Any) -> None:
    """Refuse a sample that no document could show."""
    try:
        read(bound.attributes[name].value_type, sample)
        json.dumps(sample, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"The sample {sample!r} of {bound.model.__name__}.{name} is no value of it in JSON: "
            f"{error}."
        ) from error


def _attribute(mapper: Mapper[Any], name: str) -> Attribute:
    if name in mapper.relationships:
        raise ConfigurationError(
            f"{mapper.class_.__name__}.{name} is a relationship: name it in relationships."
        )
    column, found = mapper.columns.get(name), _value_type(mapper, name)
    if not isinstance(column, sa.Column) or column.computed is not None:
        is_fixed = name in mapper.column_attrs
        return Attribute(name, found, is_column=False, is_required=False, is_fixed=is_fixed)
    return Attribute(name, found, is_column=True, is_required=_is_needed(column))


def _is_needed(column: sa.Column[Any]) -> bool:
    """Whether a new row has to be given a value of the column."""
    has_default = column.default is not None or column.server_default is not None
    return not (column.nullable or column.primary_key or has_default)


def _value_type(mapper: Mapper[Any], name: str) -> ValueType:
    try:
        expression = getattr(mapper.class_, name).__clause_element__()
        found = expression.type
    except Exception as error:
        raise ConfigurationError(
            f"{mapper.class_.__name__}.{name} cannot be selected by SQL, so it is no attribute of "
            "a resource."
        ) from error
    column = mapper.columns.get(name)
    is_nullable = column.nullable if isinstance(column, sa.Column) else True
    python = _python_of(found)
    if python is None:
        raise ConfigurationError(
            f"{mapper.class_.__name__}.{name} is of the type {found!r}, which has no form in JSON: "
            "leave it out, or show an expression of it."
        )
    return ValueType(
        python,
        is_nullable=bool(is_nullable),
        max_length=getattr(found, "length", None) if python is str else None,
        choices=_choices(found),
        bits=_bits(found),
        is_aware=isinstance(found, UTCDateTime) or bool(getattr(found, "timezone", False)),
        digits=(getattr(found, "precision", None), getattr(found, "scale", None))
        if python is Decimal
        else (None, None),
    )


def _python_of(found: Any) -> type[Any] | None:
    """The Python type of a column's values; None of one that JSON does not have."""
    if isinstance(found, UTCDateTime):
        return datetime
    if isinstance(found, sa.JSON):
        return object
    if isinstance(found, sa.Enum):
        return str
    try:
        python: type[Any] = found.python_type
    except NotImplementedError:
        return None
    return next((one for one in _PYTHON if issubclass(python, one)), None)


def _choices(found: Any) -> dict[str, Any]:
    if not isinstance(found, sa.Enum):
        return {}
    if found.enum_class is None:
        return {text: text for text in found.enums}
    return {as_text(member): member for member in found.enum_class}


def _bits(found: Any) -> int:
    if isinstance(found, sa.BigInteger):
        return 64
    return 16 if isinstance(found, sa.SmallInteger) else 32


def _link(bound: Bound, name: str, by_model: dict[type[Any], Bound]) -> Link:
    mapper, declared = sa.inspect(bound.model), bound.resource.relationships[name]
    prop = mapper.relationships.get(name)
    is_many = isinstance(declared, ToMany)
    if prop is None or bool(prop.uselist) is not is_many:
        raise ConfigurationError(
            f"{bound.model.__name__}.{name} is no relationship to {'many' if is_many else 'one'}."
        )
    target = by_model.get(prop.mapper.class_)
    if target is None:
        raise ConfigurationError(
            f"The relationship {name} of {bound.type} leads to {prop.mapper.class_.__name__}, "
            "which has no resource here."
        )
    keys = _plain_keys(prop, target)
    is_needed = any(_is_needed(mapper.columns[own]) for own, _ in keys)
    is_required = is_needed or getattr(declared, "required", False)
    return Link(
        name,
        is_many,
        is_required,
        _giver(target),
        keys,
        is_nullable=all(mapper.columns[own].nullable for own, _ in keys),
        is_read_only=prop.viewonly,
        far=_far_end(prop),
        is_by_key=prop.secondary is None,
        verb=getattr(declared, "verb", VIEW),
        parameter=declared.parameter,
    )


def _far_end(prop: RelationshipProperty[Any]) -> frozenset[str]:
    """What the relationship is in the class that it leads to, by the names of its attributes."""
    mapper = prop.mapper
    if prop.secondary is not None:
        over = (one for one in mapper.relationships if one.secondary is prop.secondary)
        return frozenset(one.key for one in over if one is not prop and not one.viewonly)
    if prop.direction is RelationshipDirection.MANYTOONE:
        return frozenset()
    keys = {related for _, related in prop.local_remote_pairs or ()} - set(mapper.primary_key)
    return frozenset(name for name, column in mapper.columns.items() if column in keys)


def _giver(target: Bound) -> Callable[[], Bound]:
    return lambda: target


def _plain_keys(prop: RelationshipProperty[Any], target: Bound) -> tuple[tuple[str, str], ...]:
    """The keys of a many-to-one that is nothing but equal keys."""
    pairs = pairs_of(prop)
    if prop.direction is not RelationshipDirection.MANYTOONE or len(pairs) != 1:
        return ()
    return pairs if pairs[0][1] == target.key.name else ()


def pairs_of(prop: RelationshipProperty[Any]) -> tuple[tuple[str, str], ...]:
    """Own and related attribute of each pair of a join that is nothing but equal columns."""
    pairs = prop.local_remote_pairs or []
    if prop.secondary is not None or not is_equality(prop.primaryjoin, pairs):
        return ()
    parent, target = prop.parent, prop.mapper
    return tuple(
        (parent.get_property_by_column(own).key, target.get_property_by_column(related).key)
        for own, related in pairs
    )
