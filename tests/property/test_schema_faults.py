"""The check of schemas finds what it is for: each fault takes some schema for a plainer one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from tests.counts import only_full
from tests.property.schemas.cases import cases
from tests.property.schemas.check import check
from tests.property.test_schemas import drawn_for

from licet.authz.policies import _reader
from licet.authz.policies._in_sql import _changes, _filter, _membership, _page
from licet.authz.policies._models import loading, mapping

MOST_CASES = 60
Patch = pytest.MonkeyPatch

pytestmark = [
    pytest.mark.usefixtures("unmeasured"),
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"),
]


# --- what a statement selects --------------------------------------------------------------------


def aliases_are_the_class(patch: Patch) -> None:
    """The criterion of an alias is asked of the class, which the statement does not select."""
    patch.setattr(_changes, "restricted_entity", lambda _statement, model: model)


def an_or_stands_bare(patch: Patch) -> None:
    """A criterion that is an OR is joined with what else the statement asks, without grouping."""

    def bare(term: Any, compiler: Any, **options: Any) -> str:
        return str(compiler.process(term, **options))

    patch.setattr(_page, "_alone", bare)
    patch.setattr(_page, "MAX_LEVELS", 2)


def pages_choose_no_rows_of_their_class(patch: Patch) -> None:
    """The keys of a page are compared by their first column alone."""
    keys = _filter._keys
    patch.setattr(_filter, "_keys", lambda entity: keys(entity)[:1])


# --- what relates two rows -----------------------------------------------------------------------


def joins_are_by_key(patch: Patch) -> None:
    """Whatever else a join asks, an equal key relates two rows."""
    relation = mapping._relation
    patch.setattr(mapping, "_relation", lambda *given: replace(relation(*given), is_keyed=True))


def a_related_row_is_found_by_half_its_key(patch: Patch) -> None:
    """Of a composite foreign key the first pair counts."""
    foreign_keys = mapping._foreign_keys
    patch.setattr(mapping, "_foreign_keys", lambda *given: foreign_keys(*given)[:1])


# --- what was loaded -----------------------------------------------------------------------------


def loaded_is_whole(patch: Patch) -> None:
    """What is loaded is taken for all that there is."""
    patch.setattr(loading, "_narrowed", lambda _option: frozenset())


def only_joins_load_in_part(patch: Patch) -> None:
    """Criteria of an option are not looked at."""
    patch.setattr(loading, "_is_narrowing", lambda one: "eager_from_alias" in one.local_opts)


# --- what is asked of the database ---------------------------------------------------------------


def an_owner_is_asked_about_by_half_its_key(patch: Patch) -> None:
    """A collection is asked about by the first column of its owner's key."""
    key_names = _membership.key_names
    patch.setattr(_membership, "key_names", lambda model: key_names(model)[:1])
    patch.setattr(_membership, "zip", _shortest, raising=False)


def _shortest(*given: Any, strict: bool) -> Any:
    assert strict
    return zip(*given, strict=False)


def what_is_not_loaded_is_empty(patch: Patch) -> None:
    """A collection that is not loaded has nothing in it."""
    patch.setattr(_membership.Membership, "asked", lambda *_given: False)


def a_joined_class_is_its_tables(patch: Patch) -> None:
    """Related rows of a subclass are selected from both tables, and not from their join."""

    def selected(session: Any, relation: Any, owner: Any, limit: int | None = None) -> Any:
        model = relation.target.model
        related = _reader.rows_alone(
            _reader.with_parent(owner, getattr(type(owner), relation.name))
        )
        rows = sa.select(sa.inspect(model).selectable).where(related).limit(limit)
        with session.no_autoflush:
            return session.scalars(sa.select(model).from_statement(rows)).all()

    patch.setattr(_reader, "_selected", selected)


SOON = [
    aliases_are_the_class,
    loaded_is_whole,
    only_joins_load_in_part,
    what_is_not_loaded_is_empty,
]
LATER = [
    an_or_stands_bare,
    pages_choose_no_rows_of_their_class,
    joins_are_by_key,
    a_related_row_is_found_by_half_its_key,
    an_owner_is_asked_about_by_half_its_key,
    a_joined_class_is_its_tables,
]


@pytest.mark.usefixtures("same_everywhere")
@pytest.mark.parametrize("fault", [*SOON, *map(only_full, LATER)], ids=lambda fault: fault.__name__)
def test_the_check_finds(fault: Callable[[Patch], None], monkeypatch: Patch) -> None:
    """A case on which the readings differ from the rows."""
    fault(monkeypatch)
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    with engine.connect() as connection:

        @settings(
            max_examples=MOST_CASES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.data())
        def agree(data: st.DataObject) -> None:
            case = data.draw(cases())
            check(case, connection, drawn_for(case, data))

        with pytest.raises(Exception):  # noqa: B017 - a wrong answer, or SQL that fails
            seed(1)(agree)()
    engine.dispose()
