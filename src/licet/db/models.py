"""The app's own models: whose migrations `licet db` and `flask db` run beside licet's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from flask import Flask

from licet.db._connecting import parsed_url
from licet.db.branches.branch import APP, Branch
from licet.db.flask import database_url
from licet.db.migrate import licet_branch
from licet.db.tables import all_tables
from licet.errors import ConfigurationError
from licet.errors.names import knows_its_options
from licet.settings import Settings
from licet.settings.state import app_state

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapper

__all__ = ["branches_of", "other_binds", "register_models"]

_MODELS: Final = "db.models"
VERSION_TABLE: Final = "alembic_version"  # Flask-Migrate's, whose revisions are taken as they are


@dataclass(frozen=True, kw_only=True)
class _Models:
    given: Any
    metadata: sa.MetaData
    folder: Path
    url: str | None
    ignored: frozenset[str] | Callable[[str], bool]


@knows_its_options
def register_models(
    app: Flask,
    models: Any,
    *,
    migrations: str | Path = "migrations",
    url: str | None = None,
    ignored: Collection[str] | Callable[[str], bool] = (),
) -> None:
    """Have `licet db` and `flask db` migrate and check the app's own tables, too.

    Args:
        app: whose they are.
        models: a declarative base class, a ``registry`` or ``MetaData`` of SQLAlchemy's, or
            Flask-SQLAlchemy's ``db``, of which only the default bind is taken.
        migrations: the folder whose ``versions`` holds the revisions; made by the first one. A
            relative path begins at the working folder. A folder of Flask-Migrate's will do.
        url: of the database; by default Flask-SQLAlchemy's, else ``LICET_DATABASE_URL``.
        ignored: tables of the database that others make, and that no model is about: their names,
            or a function that is given a name and says whether it is one of them.

    Raises:
        ConfigurationError: `models` is none of these, or the app has registered models already.
    """
    metadata = getattr(models, "metadata", models)
    if not isinstance(metadata, sa.MetaData):
        raise ConfigurationError(
            f"register_models got {models!r}: give a declarative base class, a registry, a "
            "MetaData, or Flask-SQLAlchemy's db."
        )
    state = app_state(app)
    if state.has(_MODELS):
        raise ConfigurationError(
            f"The app {app.name!r} has registered models already: give one MetaData that holds all."
        )
    kept = _Models(
        given=models,
        metadata=metadata,
        folder=Path(migrations),
        url=url,
        ignored=ignored if callable(ignored) else frozenset(ignored),
    )
    state.put(_MODELS, kept)


def branches_of(app: Flask) -> dict[str, Branch]:
    """The branches by name: ``licet``, and ``app`` if the app has registered models.

    Concurrency: within an app context, which Flask-SQLAlchemy wants.
    """
    state = app_state(app)
    all_tables()
    licet = licet_branch(parsed_url(database_url(state.settings)))
    if not state.has(_MODELS):
        return {licet.name: licet}
    models: _Models = state.get_or_build(_MODELS, _missing)
    return {licet.name: licet, APP: _app_branch(models, licet.url)}


def other_binds(app: Flask) -> dict[str, int]:
    """The binds of Flask-SQLAlchemy whose tables no branch is about, and how many these are."""
    state = app_state(app)
    models = state.get_or_build(_MODELS, _missing).given if state.has(_MODELS) else None
    by_bind: dict[str | None, sa.MetaData] = getattr(models, "metadatas", {})
    return {
        bind: len(found.tables)
        for bind, found in by_bind.items()
        if bind is not None and found.tables
    }


def _missing(_settings: Settings) -> _Models:
    raise AssertionError("no models are registered")


def _app_branch(models: _Models, default: sa.URL) -> Branch:
    engine = None
    if models.url is not None:
        url = parsed_url(models.url)
    elif isinstance(found := _engine_of(models.given), sa.Engine):
        url, engine = found.url, found if found.dialect.name != "sqlite" else None
    else:
        url = default
    return Branch(
        name=APP,
        url=url,
        metadata=models.metadata,
        version_table=VERSION_TABLE,
        versions=models.folder / "versions",
        mappers=lambda: _mappers(models),
        ignored=models.ignored,
        engine=engine,
    )


def _engine_of(models: Any) -> Any:
    """Flask-SQLAlchemy's engine of the app whose context is pushed."""
    return getattr(models, "engine", None) if hasattr(models, "Model") else None


def _mappers(models: _Models) -> Iterable[Mapper[Any]]:
    """The mapped classes whose tables are in the metadata: not those of another bind."""
    from sqlalchemy.orm import registry  # noqa: PLC0415 - seldom needed

    base = getattr(models.given, "Model", models.given)
    found: Any = base if isinstance(base, registry) else getattr(base, "registry", None)
    if not isinstance(found, registry):
        return ()
    tables = set(models.metadata.tables.values())
    return [mapper for mapper in found.mappers if tables & set(mapper.tables)]
