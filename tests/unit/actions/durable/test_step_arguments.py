"""What is told of a step's arguments: the same for equal ones, in every process."""

import functools
import os
import subprocess
import sys
import uuid
from collections import Counter, OrderedDict, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, StrEnum
from fractions import Fraction
from pathlib import Path, PurePosixPath
from types import MappingProxyType

import pytest
from pydantic import BaseModel

from licet.actions.durable.steps.arguments import bound_args, digest_of, function_name

CET = timezone(timedelta(hours=1))
UNIQUE = uuid.UUID(int=7)


class Colour(Enum):
    RED = 1


class Word(StrEnum):
    RED = "red"


class Model(BaseModel):
    n: int
    tags: set[str] = set()


class Caseless(BaseModel):
    name: str

    def __eq__(self, other):
        return self.name.lower() == other.name.lower()

    __hash__ = None


@dataclass
class Record:
    n: int
    seen: float = field(default=0.0, compare=False)


class Plain:
    def __init__(self, n=0):
        self.n = n

    def method(self):
        return self.n


class Meter:
    def __call__(self):
        return 1

    @classmethod
    def of(cls):
        return cls()


def endless():
    value = []
    value.append(value)
    return value


def deep(n):
    return [] if n == 0 else [deep(n - 1)]


def wide(n):
    value = []
    for _ in range(n):
        value = [value, value]
    return value


EQUAL = [
    (1, 1.0),
    (1, True),
    (1, Decimal("1.00")),
    (0.5, Fraction(1, 2)),
    (10**400, 10**400),
    (float("nan"), float("nan")),
    ("red", Word.RED),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({"a": 1}, OrderedDict(a=1)),
    ({"a": 1}, defaultdict(int, a=1)),
    ({"a": 1}, MappingProxyType({"a": 1})),
    (Counter("a"), Counter("aab")),
    ({"x", "y", 3}, frozenset({3, "y", "x"})),
    ((1, [2]), [1, (2,)]),
    (b"x", bytearray(b"x")),
    (datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, 1, tzinfo=CET)),
    (time(12, tzinfo=UTC), time(13, tzinfo=CET)),
    (datetime(1, 1, 1, tzinfo=CET), datetime(1, 1, 1, tzinfo=CET)),
    (uuid.UUID(int=7), UNIQUE),
    (Path("a/b"), PurePosixPath("a//b")),
    (Model(n=1, tags={"a", "b"}), Model(n=1, tags={"b", "a"})),
    (Caseless(name="A"), Caseless(name="a")),
    (Record(1, seen=1.0), Record(1, seen=2.0)),
    (Plain(1), Plain(1)),
    (object(), object()),
    (Plain(1).method, Plain(1).method),
    (lambda: 1, lambda: 1),
    (functools.partial(int, base=2), functools.partial(int, base=2)),
    (range(0, 5, 2), range(0, 6, 2)),
    (range(0), range(3, 3)),
    (endless(), endless()),
    (deep(200), deep(200)),
    (wide(60), wide(60)),
    (list(range(100_001)), list(range(100_001))),
    ("\ud800", "\ud800"),
    (iter([1]), iter([2])),
    (os, os),
    (Plain, Plain),
]
OTHER = [
    (1, 2),
    (0.1, Decimal("0.1")),
    (1, "1"),
    (None, "None"),
    ("a", b"a"),
    ("a", ["a"]),
    ([1, 2], [2, 1]),
    ([[1], 2], [1, [2]]),
    ({"a": 1}, {"a": 2}),
    ({"a": 1}, {"b": 1}),
    ({1}, {2}),
    (b"x", b"y"),
    (datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=CET)),
    (datetime.fromisoformat("2030-01-01"), datetime.fromisoformat("2030-01-02")),
    (date(2030, 1, 1), date(2030, 1, 2)),
    (timedelta(1), timedelta(2)),
    (uuid.UUID(int=7), uuid.UUID(int=8)),
    (Path("a"), Path("b")),
    (Decimal("1.5"), Decimal("1.6")),
    (Model(n=1), Model(n=2)),
    (Record(1), Record(2)),
    (Plain(), object()),
    (Plain().method, Meter.of),
    (functools.partial(int, "1"), functools.partial(int, "2")),
    (float("inf"), float("-inf")),
    (1j, 2j),
    (range(3), range(4)),
    (int, str),
    (len, abs),
    ([None], ["x"]),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_equal_arguments(one, other):
    """Whatever they are and wherever they came from, they are never taken for others."""
    assert digest_of([one], {}) == digest_of([other], {})
    assert digest_of([], {"x": [one]}) == digest_of([], {"x": [other]})


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_other_arguments(one, other):
    """What has a form that says all of it is told from another, also within a list."""
    assert digest_of([one], {}) != digest_of([other], {})
    assert digest_of([[one]], {}) != digest_of([[other]], {})


def test_how_they_are_given():
    """By place and by name, and by which; the order of names does not count."""
    assert digest_of([1], {}) != digest_of([], {"x": 1})
    assert digest_of([], {"x": 1}) != digest_of([], {"y": 1})
    assert digest_of([1, 2], {}) != digest_of([[1, 2]], {})
    assert digest_of([], {"x": 1, "y": 2}) == digest_of([], {"y": 2, "x": 1})


def test_what_cannot_be_read():
    """An object that raises when it is looked at is told by its class; an iterator is not used."""

    class Broken(dict):
        def items(self):
            raise OSError

    assert digest_of([Broken(a=1)], {}) == digest_of([Broken(b=1)], {})
    numbers = iter([1, 2])
    digest_of([numbers], {})
    assert list(numbers) == [1, 2]


def test_in_every_process():
    """Neither the seed of hashes nor an address is in it."""
    program = (
        "from tests.unit.actions.durable.test_step_arguments import *\n"
        "print([digest_of([one], {'x': other}) for one, other in OTHER + EQUAL])"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path.cwd())},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (function_name, "licet.actions.durable.steps.arguments:function_name"),
        (len, "builtins:len"),
        (int, "builtins:int"),
        ([].append, "builtins:list.append"),
        (functools.partial(functools.partial(int), "1"), "builtins:int"),
        (Plain().method, f"{__name__}:Plain.method"),
        (Meter(), f"{__name__}:Meter"),
        (Meter.of, f"{__name__}:Meter.of"),
    ],
)
def test_names_of_functions(function, name):
    """Where each is defined."""
    assert function_name(function) == name


def test_a_long_name():
    """Its end is kept: the column has 256 characters."""
    function = lambda: 1  # noqa: E731
    function.__qualname__ = "x" * 300 + "end"
    assert len(function_name(function)) == 256
    assert function_name(function).endswith("xend")


def test_a_program_has_its_files_name(tmp_path):
    """A function has one name, whether its module was started or imported."""
    path = tmp_path / "shop.py"
    path.write_text(
        "from licet.actions.durable.steps.arguments import function_name\n"
        "def pay(): ...\n"
        "print(function_name(pay))\n"
    )
    found = [
        subprocess.run(
            [sys.executable, *args], cwd=tmp_path, capture_output=True, check=True
        ).stdout
        for args in (["shop.py"], ["-m", "shop"], ["-c", "import shop"])
    ]
    assert set(found) == {b"shop:pay\n"}


def test_what_a_method_holds():
    """Whose method it is counts as an argument; a module's function has none."""
    record = Record(1)
    assert bound_args(record.__repr__) == (record,)
    assert bound_args(len) == ()
    assert bound_args(Meter()) != ()
