"""Small apps whose sessions are guarded, with models of each test's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from flask import Flask, request
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool
from tests.unit.authz.writes.library import ANN, BEN

from licet import Licet
from licet.authz import ALL, Policy, attr, caller, register_policies, registered

OWN = attr("owner") == caller.principal


def owned(model: Any, name: str = "") -> Policy:
    """A policy by which everybody does everything with what is theirs."""
    return Policy(model, name=name or model.__name__).allow(registered, ALL, when=OWN)


class Small:
    """An app with some policies, a session, and a database in memory that enforces foreign keys."""

    def __init__(
        self, metadata: sa.MetaData, *policies: Policy, url: str = "sqlite://", **options: Any
    ) -> None:
        is_sqlite = url == "sqlite://"
        self.engine = sa.create_engine(url, **({"poolclass": StaticPool} if is_sqlite else {}))
        with self.engine.connect() as connection:
            if is_sqlite:
                connection.exec_driver_sql("pragma foreign_keys=on")
            if metadata.schema is not None:
                connection.exec_driver_sql(f"attach ':memory:' as {metadata.schema}")
        metadata.create_all(self.engine)
        self.session = Session(self.engine)
        self.app = Flask("small")
        Licet(self.app)
        register_policies(
            self.app,
            *policies,
            session=lambda: self.session,
            caller=lambda: BEN if request.headers.get("Caller") == "ben" else ANN,
            **{"guard_writes": True, **options},
        )

    def store(self, *objects: Any) -> None:
        """Put rows into the database, asking nobody."""
        for one in objects:
            self.session.add(one)
            self.session.flush()
        self.session.commit()
        self.session.expunge_all()

    def attempt(
        self, change: Callable[[Session], Any], caller: str = "ann", *, commit: bool = True
    ) -> str:
        """What becomes of a change in a request: ``done``, or the name of an error."""
        with self.app.test_request_context(headers={"Caller": caller}):
            try:
                change(self.session)
                if commit:
                    self.session.commit()
            except Exception as error:  # noqa: BLE001 - the outcome is its name
                return type(error).__name__
            finally:
                self.session.rollback()
                self.session.expunge_all()
        return "done"

    def rows(self, text: str) -> list[tuple[Any, ...]]:
        """What is committed."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(text))]
