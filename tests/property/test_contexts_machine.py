"""Contexts of requirements in requests, threads, copies and streams, beside an oracle."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from flask import (
    Flask,
    Response,
    copy_current_request_context,
    has_request_context,
    request,
    stream_with_context,
)
from hypothesis import event, example, given
from hypothesis import strategies as st
from werkzeug.test import create_environ

from licet.authz import Additional, Allows, Override
from licet.errors import UsageError

Kind = Literal["overrides", "additional"]
CONTAINERS = {"overrides": Override, "additional": Additional}


def denies_a(_user: object) -> bool:
    return False


def denies_b(_user: object) -> bool:
    return False


# --- programs ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Push:
    who: int
    kind: Kind
    holds: frozenset[Any]
    use_parent: bool


@dataclass(frozen=True)
class Pop:
    who: int
    kind: Kind


@dataclass(frozen=True)
class Change:
    who: int
    kind: Kind
    requirement: Any
    is_added: bool


@dataclass(frozen=True)
class Block:
    """A ``with`` statement of a manager's."""

    who: int
    kind: Kind
    holds: frozenset[Any]
    program: Program


@dataclass(frozen=True)
class Copied:
    """`copy_current_request_context`, called in a thread or here, at once or when all is over."""

    where: Literal["thread", "here", "thread at the end"]
    program: Program


@dataclass(frozen=True)
class InThread:
    """A thread of its own, with a copy of the context variables or with none."""

    has_variables: bool
    program: Program


@dataclass(frozen=True)
class Request:
    """A request, and when it is over the parts of its stream."""

    early: Program  # before any Allows has begun; changes only
    program: Program  # in the view
    late: Program  # when all others of ``after_request`` have run
    streams: Literal["no", "plain", "with context"]
    parts: tuple[Program, ...]
    is_read_elsewhere: bool
    meanwhile: Program  # by the reader, between the parts


@dataclass(frozen=True)
class OtherContext:
    """``test_request_context``, or an app context."""

    is_request: bool
    program: Program


Step = Push | Pop | Change | Block | Copied | InThread | Request | OtherContext
Program = tuple[Step, ...]

WHO = st.integers(0, 1)
KINDS = st.sampled_from(["overrides", "additional"])
REQUIREMENTS = st.sampled_from([denies_a, denies_b])
HOLDS = st.frozensets(REQUIREMENTS, max_size=2)
CHANGES = (
    st.builds(Push, WHO, KINDS, HOLDS, st.booleans()),
    st.builds(Pop, WHO, KINDS),
    st.builds(Change, WHO, KINDS, REQUIREMENTS, st.booleans()),
)


def requests(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Request]:
    return st.builds(
        Request,
        early=st.just(()) | programs(0),
        program=inner,
        late=inner,
        streams=st.sampled_from(["no", "plain", "with context"]),
        parts=st.lists(inner, max_size=2).map(tuple),
        is_read_elsewhere=st.booleans(),
        meanwhile=inner,
    )


def steps(depth: int) -> st.SearchStrategy[Any]:
    inner = programs(depth - 1)
    return st.one_of(
        *CHANGES,
        st.builds(Block, WHO, KINDS, HOLDS, inner),
        st.builds(Copied, st.sampled_from(["thread", "here", "thread at the end"]), inner),
        st.builds(InThread, st.booleans(), inner),
        requests(inner),
        st.builds(OtherContext, st.booleans(), inner),
    )


@st.composite
def programs(draw: Any, depth: int) -> Program:
    """Some changes, then steps that find them."""
    changes = draw(st.lists(st.one_of(*CHANGES), max_size=2))
    return (*changes, *draw(st.lists(steps(depth), max_size=2))) if depth else tuple(changes)


# --- the oracle ----------------------------------------------------------------------------------


@dataclass(eq=False)
class Frame:
    """A context; sets are shared by all who see it."""

    who: int
    kind: Kind
    holds: set[Any]


@dataclass
class Place:
    """The contexts that are in force somewhere, the innermost last."""

    frames: list[Frame] = field(default_factory=list)

    def copy(self) -> Place:
        return Place(list(self.frames))

    def innermost(self, kind: Kind) -> Frame | None:
        return next((one for one in reversed(self.frames) if one.kind == kind), None)

    def current(self, who: int, kind: Kind) -> Frame | None:
        seen = (one for one in reversed(self.frames) if (one.who, one.kind) == (who, kind))
        return next(seen, None)

    def passes(self, who: int, asked: set[Any]) -> bool:
        overridden, added = self.current(who, "overrides"), self.current(who, "additional")
        wanted = asked | (added.holds if added else set())
        return not (wanted - (overridden.holds if overridden else set()))


def begun() -> list[Frame]:
    return [Frame(who, kind, set()) for who in (0, 1) for kind in CONTAINERS]


# --- what runs both ------------------------------------------------------------------------------


class Machine:
    """An app with two Allows, and programs that run in it."""

    def __init__(self) -> None:
        self.app = Flask("machine")
        self.app.config["PROPAGATE_EXCEPTIONS"] = True
        self.app.before_request(self.early)
        self.app.after_request(self.late)
        self.allows = [Allows(self.app, identity_loader=lambda: "ann") for _ in range(2)]
        self.app.add_url_rule("/", view_func=self.view)
        self.at_the_end: list[Callable[[], None]] = []
        self.done: set[str] = set()

    def manager(self, who: int, kind: Kind) -> Any:
        return getattr(self.allows[who], kind)

    def check(self, place: Place) -> None:
        for who, allows in enumerate(self.allows):
            for asked in (set(), {denies_a}):
                assert allows.fulfill(asked) is place.passes(who, asked)
            for kind in CONTAINERS:
                real, expected = self.manager(who, kind).current, place.current(who, kind)
                assert (real is None) is (expected is None)
                assert expected is None or set(real) == expected.holds

    def run(self, program: Program, place: Place) -> None:
        for step in program:
            self.do(step, place)
            self.check(place)
        self.check(place)

    def do(self, step: Step, place: Place) -> None:
        self.done.add(type(step).__name__)
        match step:
            case Push(who, kind, holds, use_parent):
                parent = place.current(who, kind)
                self.manager(who, kind).push(CONTAINERS[kind](*holds), use_parent)
                joined = set(holds) | (parent.holds if use_parent and parent else set())
                place.frames.append(Frame(who, kind, joined))
            case Pop(who, kind):
                self.pop(who, kind, place)
            case Change(who, kind, requirement, is_added):
                context, frame = self.manager(who, kind).current, place.current(who, kind)
                if frame is not None:
                    (context.add if is_added else context.remove)(requirement)
                    (frame.holds.add if is_added else frame.holds.discard)(requirement)
            case Block():
                self.block(step, place)
            case Copied(where, inner):
                self.copied(where, inner, place)
            case InThread(has_variables, inner):
                copied = place.copy() if has_variables else Place()
                variables = contextvars.copy_context() if has_variables else contextvars.Context()
                in_thread(lambda: variables.run(self.run, inner, copied))
            case Request():
                self.request(step, place)
            case OtherContext(is_request, inner):
                made = self.app.test_request_context() if is_request else self.app.app_context()
                with made:
                    self.run(inner, Place() if is_request else place)

    def pop(self, who: int, kind: Kind, place: Place) -> None:
        innermost = place.innermost(kind)
        try:
            self.manager(who, kind).pop()
        except UsageError:
            assert innermost is None or innermost.who != who
        else:
            assert innermost is not None
            assert innermost.who == who
            place.frames.remove(innermost)

    def block(self, step: Block, place: Place) -> None:
        manager = self.manager(step.who, step.kind)
        opened = Frame(step.who, step.kind, set(step.holds))
        enter = getattr(manager, "override" if step.kind == "overrides" else "additional")
        is_wrong = False
        try:
            with enter(CONTAINERS[step.kind](*step.holds)):
                place.frames.append(opened)
                self.run(step.program, place)
        except UsageError as error:
            is_wrong = str(error).startswith("popped wrong")
        if opened not in place.frames:
            assert is_wrong
            return
        at = place.frames.index(opened)
        mine = [one for one in place.frames[at:] if (one.who, one.kind) == (step.who, step.kind)]
        left = [one for one in place.frames[at:] if one not in mine]
        place.frames[at:] = left
        assert is_wrong is any(one.kind == step.kind for one in left)

    def copied(self, where: str, program: Program, place: Place) -> None:
        if not has_request_context():
            return
        copied = place.copy()
        work = copy_current_request_context(lambda: self.run(program, copied))
        if where == "here":
            work()
        elif where == "thread":
            in_thread(work)
        else:
            self.at_the_end.append(work)

    # --- requests --------------------------------------------------------------------------------

    def request(self, step: Request, around: Place) -> None:
        place = Place()
        environ = create_environ("/") | {"machine.step": (step, place)}
        chunks: Any = self.app(environ, lambda *_arguments: None)
        if step.is_read_elsewhere:
            in_thread(lambda: list(chunks))
        elif step.streams == "with context":  # Flask leaves its context here between the parts
            list(chunks)
        else:
            for _ in chunks:
                self.run(step.meanwhile, around)
        chunks.close()

    def early(self) -> None:
        step, place = request.environ["machine.step"]
        self.run(step.early, place)
        place.frames[:0] = begun()

    def view(self) -> Response:
        step, place = request.environ["machine.step"]
        self.run(step.program, place)
        stream = self.stream(step, place)
        if step.streams == "plain":
            return Response(stream)
        return Response(stream_with_context(stream) if step.streams == "with context" else "done")

    def stream(self, step: Request, place: Place) -> Iterator[str]:
        for part in step.parts:
            self.run(part, place)
            yield "part"
        self.check(place)

    def late(self, response: Response) -> Response:
        step, place = request.environ["machine.step"]
        self.run(step.late, place)
        return response


def in_thread(work: Callable[[], object]) -> None:
    """Run it in a thread without any context variables; what it raises is raised here."""
    raised: list[BaseException] = []

    def caught() -> None:
        try:
            contextvars.Context().run(work)
        except BaseException as error:  # noqa: BLE001 - for the test
            raised.append(error)

    thread = threading.Thread(target=caught)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    if raised:
        raise raised[0]


def request_of(late: Program, *parts: Program) -> Request:
    """A request with a plain stream, whose view and reader do nothing."""
    return Request((), (), late, "plain", parts, is_read_elsewhere=False, meanwhile=())


COPY_OF_THE_READER = request_of((), (Copied("thread", ()),))


@example((request_of((Change(0, "overrides", denies_a, is_added=True), COPY_OF_THE_READER)),))
@given(programs(3) | requests(programs(2)).map(lambda step: (step,)))
def test_contexts_are_where_the_oracle_has_them(program: Program) -> None:
    """Every check sees what was pushed in its request or before the copy, and nothing else."""
    machine = Machine()
    contextvars.Context().run(machine.run, program, Place())
    for work in machine.at_the_end:  # which may add to it
        in_thread(work)
    for name in sorted(machine.done):
        event(name)
