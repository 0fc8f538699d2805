"""Statements that are kept for equal callers: none is made of what another caller is, or was."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask, request
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    column_property,
    mapped_column,
    relationship,
)

from licet import Licet
from licet.authz import ALL, Policy, attr, caller, everyone, register_policies
from licet.rest.jsonapi import JsonApi, Resource, ToOne

CLOCK = {"hour": 9}


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column()
    team: Mapped[int]
    until: Mapped[int]
    loud = column_property(owner + "!")

    @hybrid_property
    def is_mine(self) -> bool:
        return self.owner == request.headers.get("Caller", "")

    @hybrid_property
    def is_over(self) -> bool:
        return self.until < CLOCK["hour"]


class Seat(Base):
    __tablename__ = "seat"
    id: Mapped[int] = mapped_column(primary_key=True)
    plate: Mapped[Plate | None] = relationship(uselist=False)


class Plate(Base):
    __tablename__ = "plate"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    seat_id: Mapped[int] = mapped_column(sa.ForeignKey("seat.id"))


class _Changing(set[int]):
    """Other members each time that they are listed."""

    def __init__(self, members: Callable[[], set[int]]) -> None:
        super().__init__()
        self._members = members

    def __iter__(self) -> Iterator[int]:
        return iter(self._members())


class Asked:
    """The answers of an app to its callers, of whom `teams` says what their teams are."""

    def __init__(self, folder: Path) -> None:
        self.teams: dict[str, set[int]] = {"ann": {1}, "ben": {1}}
        self.later: list[Callable[[], None]] = []  # what happens when teams have been read
        self.engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
        Base.metadata.create_all(self.engine)
        self.session = Session(self.engine)
        self.session.add_all([Note(id=n, owner="ann", team=n, until=10) for n in (1, 2)])
        self.session.commit()
        self.app = Flask("notes")
        self.app.config["LICET_INSTANCE_PATH"] = str(folder)
        Licet(self.app)
        policy = Policy(Note).allow(everyone, ALL, when=attr("team").in_(caller.teams))
        register_policies(
            self.app,
            policy,
            session=lambda: self.session,
            caller=self._caller,
            guard_writes=True,
        )
        fields = ["owner", "team", "loud", "is_mine", "is_over"]
        with self.app.test_request_context():  # the hybrids ask the request for their types, too
            resource = Resource(Note, policy, name="note", attributes=fields)
            JsonApi(self.app, url_prefix="/v1", resources=[resource])
        self.client = self.app.test_client()

    def _caller(self) -> Any:
        asked = self

        class Caller(SimpleNamespace):
            @property
            def teams(self) -> frozenset[int]:
                found = frozenset(list(asked.teams[self.principal]))
                if asked.later:
                    asked.later.pop()()
                return found

        return Caller(principal=request.headers["Caller"], is_authenticated=True)

    def get(self, name: str, url: str) -> Any:
        return self.client.get(url, headers={"Caller": name})

    def patch(self, name: str, **values: Any) -> int:
        document = {"data": {"type": "note", "id": "1", "attributes": values}}
        headers = {"Caller": name, "Content-Type": "application/vnd.api+json"}
        answer = self.client.patch("/v1/notes/1", json=document, headers=headers)
        self.session.rollback()
        return answer.status_code


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    made = Asked(tmp_path)
    yield made
    made.session.close()
    made.engine.dispose()


def test_a_hybrid_is_asked_for_each_caller_and_moment(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
):
    """Its function says what the statement is, whatever the policies know of the caller."""

    def told(name: str) -> tuple[bool, bool]:
        found = asked.get(name, "/v1/notes/1").json["data"]["attributes"]
        return found["is-mine"], found["is-over"]

    assert [told("ann"), told("ben"), told("ann")] == [(True, False), (False, False), (True, False)]
    monkeypatch.setitem(CLOCK, "hour", 11)
    assert [told("ann"), told("ben")] == [(True, True), (False, True)]


def test_other_statements_are_kept(asked: Asked, monkeypatch: pytest.MonkeyPatch):
    """Without the hybrids, an expression and all, one is made for both."""
    made = []
    add_columns = sa.Select.add_columns
    monkeypatch.setattr(
        sa.Select, "add_columns", lambda self, *more: made.append(1) or add_columns(self, *more)
    )
    for name in ("ann", "ben", "ann"):
        found = asked.get(name, "/v1/notes/1?fields[note]=owner,loud").json["data"]["attributes"]
        assert found == {"owner": "ann", "loud": "ann!"}
    assert len(made) == 1


def test_nothing_is_kept_of_a_caller_who_changes_meanwhile(asked: Asked):
    """Ann joins a team while she asks, and sees its notes, alone and while she is in it."""
    url = "/v1/notes/2?fields[note]=owner"
    asked.later.append(lambda: asked.teams["ann"].add(2))
    asked.get("ann", url)
    assert (asked.get("ben", url).status_code, asked.get("ann", url).status_code) == (404, 200)
    asked.teams["ann"].remove(2)
    assert asked.get("ann", url).status_code == 404


@pytest.mark.parametrize("turn", [0, 1])
def test_nothing_is_kept_of_a_writer_who_changes_at_each_look(asked: Asked, turn: int):
    """Ann is in and out of a team; Ben, who is in the other, cannot give it a note."""
    looks = itertools.count(turn)
    asked.teams = {"ben": {1}, "ann": _Changing(lambda: {1, 2} if next(looks) % 2 else {1})}
    assert {asked.patch("ann", owner=f"ann {n}") for n in range(3)} == {200}
    assert asked.patch("ben", team=2) == 403


def test_a_mask_on_a_linking_key_is_asked_of_each_caller(tmp_path: Path):
    """Of the plate on a seat only its owner is told, whoever asked before."""
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    Base.metadata.create_all(engine)
    app = Flask("seats")
    app.config["LICET_INSTANCE_PATH"] = str(tmp_path)
    Licet(app)
    seats = Policy(Seat).allow(everyone, ALL)
    plates = Policy(Plate).allow(everyone, ALL)
    plates.hide("seat_id", unless=[attr("owner") == caller.principal])
    with Session(engine) as session:
        session.add_all([Seat(id=1), Plate(id=7, owner="ann", seat_id=1)])
        session.commit()
        register_policies(
            app,
            seats,
            plates,
            session=lambda: session,
            caller=lambda: SimpleNamespace(principal=request.headers["Caller"]),
        )
        links = {"plate": ToOne()}
        made = [
            Resource(Seat, seats, name="seat", attributes=[], relationships=links),
            Resource(Plate, plates, name="plate", attributes=["owner"]),
        ]
        JsonApi(app, url_prefix="/v1", resources=made)
        client = app.test_client()

        def linked(name: str) -> Any:
            found = client.get("/v1/seats/1?include=plate", headers={"Caller": name})
            assert found.status_code == 200, found.json
            return found.json["data"]["relationships"]["plate"]["data"]

        plate = {"type": "plate", "id": "7"}
        assert [linked(name) for name in ("ann", "ben", "ann", "ben")] == [plate, None, plate, None]
    engine.dispose()
