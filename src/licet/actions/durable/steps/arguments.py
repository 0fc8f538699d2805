"""What can be told of a step's arguments, as one digest.

Equal arguments have the same digest in every process. Values that have a form which says all of
them are told by that form: numbers, texts, bytes, moments, UUIDs, paths, enums, lists, sets, dicts,
dataclasses and pydantic models, functions by their names. Any other object is told by its class
alone: a client, a session, a row of SQLAlchemy's or a file is another object in each process, whose
`repr` may hold its address. So two such objects of one class are taken to be equal, and a change
within them is not seen.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import hashlib
import json
import math
import numbers
import operator
import sys
import types
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel

__all__ = ["bound_args", "digest_of", "function_name"]

MAX_VALUES: Final = 100_000  # of one argument; a larger one is told by its class
MAX_DEPTH: Final = 50
MAX_EXPONENT: Final = 400
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MAX_FUNCTION: Final = 256
_AS_TEXT: Final = (UUID, IPv4Address, IPv4Network, IPv6Address, IPv6Network)
_OF_DICTS: Final = (dict.__eq__, OrderedDict.__eq__, types.MappingProxyType.__eq__)
_canonical: Final = json.JSONEncoder(separators=(",", ":")).encode
_OF_A_ROW: Final = "_sa_instance_state"  # of SQLAlchemy's, whose fields may have to be loaded
Told = Any  # a JSON value: a text, None, or a list that begins with a word for what it is


def digest_of(args: Iterable[object], kwargs: Mapping[str, object]) -> str:
    """SHA-256 over what can be told of the arguments, in hexadecimal."""
    told = [[_argument(each) for each in args], [[k, _argument(kwargs[k])] for k in sorted(kwargs)]]
    return hashlib.sha256(_canonical(told).encode()).hexdigest()


def function_name(function: Any) -> str:
    """Where a function is defined, such as ``shop.tasks:pay``; at most 256 characters.

    A method is named with its class, a partial by its function, another callable by its class. The
    module that was started as a program has its file's name, as when it is imported.
    """
    while isinstance(function, functools.partial):
        function = function.func
    if not _is_named(function):
        function = type(function)
    found = getattr(function, "__func__", function)  # of a bound method
    name = f"{_module_of(found)}:{found.__qualname__}"
    return name if len(name) <= _MAX_FUNCTION else name[-_MAX_FUNCTION:]


def bound_args(function: Any) -> tuple[object, ...]:
    """What a method or a partial already holds, which is as much as an argument of its call."""
    if isinstance(function, functools.partial) or not _is_named(function):
        return (function,)
    owner = getattr(function, "__self__", None)
    return () if owner is None or isinstance(owner, types.ModuleType) else (owner,)


def _is_named(function: Any) -> bool:
    return isinstance(getattr(function, "__qualname__", None), str)


def _module_of(found: Any) -> str:
    module = getattr(found, "__module__", None) or "builtins"
    if module != "__main__":
        return str(module)
    program = sys.modules["__main__"]
    spec, file = getattr(program, "__spec__", None), getattr(program, "__file__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    return PurePath(file).stem if file else "__main__"


class _NotTold(Exception):
    """The argument is too deep or too large to be told."""


class _Teller:
    """Tells one argument; `depth` and the number of values are limited."""

    def __init__(self) -> None:
        self._n_values = 0
        self._depth = 0

    def tell(self, value: Any) -> Told:
        """A JSON value that is the same for equal values."""
        self._n_values += 1
        if self._n_values > MAX_VALUES or self._depth >= MAX_DEPTH:
            raise _NotTold
        if value is None or type(value) is str:
            return value
        self._depth += 1
        try:
            return self._tell(value)
        finally:
            self._depth -= 1

    def _tell(self, value: Any) -> Told:
        for kinds, tell in _TELLERS:
            if isinstance(value, kinds):
                return tell(self, value)
        return self.record(value) if dataclasses.is_dataclass(value) else _class_of(value)

    def tell_all(self, values: Iterable[object]) -> list[Told]:
        """Of each."""
        return [self.tell(each) for each in values]

    def text(self, value: str) -> Told:
        """A subclass of str, unless it compares in its own way."""
        return str.__str__(value) if type(value).__eq__ is str.__eq__ else _class_of(value)

    def number(self, value: Any) -> Told:
        """1, 1.0, True and Decimal("1.00") are equal, and told alike."""
        if isinstance(value, numbers.Integral):
            return ["number", hex(operator.index(value)), "0x1"]
        if isinstance(value, Decimal):
            if not value.is_finite() or abs(value.adjusted()) > MAX_EXPONENT:
                return ["number", str(value.normalize()) if value.is_finite() else str(value)]
        elif isinstance(value, numbers.Complex) and not isinstance(value, numbers.Real):
            return ["complex", self.number(value.real), self.number(value.imag)]
        elif not isinstance(value, numbers.Rational):
            value = float(value)
            if not math.isfinite(value):
                return ["number", "NaN" if math.isnan(value) else str(value)]
        numerator, denominator = value.as_integer_ratio()
        return ["number", hex(numerator), hex(denominator)]

    def bytes(self, value: bytes | bytearray | memoryview) -> Told:
        """Their digest."""
        return ["bytes", hashlib.sha256(value).hexdigest()]

    def moment(self, value: dt.datetime) -> Told:
        """The same moment in another zone is equal."""
        if value.utcoffset() is None:
            return ["time", value.replace(tzinfo=None, fold=0).isoformat()]
        return ["moment", str(value - _EPOCH)]

    def time(self, value: dt.time) -> Told:
        """The same time with another offset is equal."""
        offset = value.utcoffset()
        if offset is None:
            return ["time", value.replace(tzinfo=None, fold=0).isoformat()]
        since = dt.timedelta(
            hours=value.hour,
            minutes=value.minute,
            seconds=value.second,
            microseconds=value.microsecond,
        )
        return ["time", str(since - offset)]

    def mapping(self, value: Mapping[Any, Any]) -> Told:
        """Whatever the order of its members."""
        if type(value).__eq__ not in _OF_DICTS:
            return _class_of(value)
        pairs = [[self.tell(key), self.tell(member)] for key, member in value.items()]
        return ["dict", *sorted(pairs, key=_canonical)]

    def sequence(self, value: list[Any] | tuple[Any, ...]) -> Told:
        """A tuple is told as a list, which it is once it was JSON."""
        if type(value).__eq__ not in (list.__eq__, tuple.__eq__):
            return _class_of(value)
        return ["list", *self.tell_all(value)]

    def set(self, value: frozenset[Any]) -> Told:
        """Whatever the order of its members."""
        if type(value).__eq__ not in (set.__eq__, frozenset.__eq__):
            return _class_of(value)
        return ["set", *sorted(self.tell_all(value), key=_canonical)]

    def range(self, value: range) -> Told:
        """Ranges of the same numbers are equal."""
        return ["range", len(value), *(value[:2] if len(value) < 3 else [value[0], value.step])]

    def model(self, value: BaseModel) -> Told:
        """Its fields, unless it compares in its own way."""
        if type(value).__eq__ is not BaseModel.__eq__ or hasattr(value, _OF_A_ROW):
            return _class_of(value)
        members = {**value.__dict__, **(value.__pydantic_extra__ or {})}
        return [*_class_of(value), self.mapping(members)]

    def record(self, value: Any) -> Told:
        """A dataclass's fields that its comparison looks at, if it has that of dataclasses."""
        code = getattr(type(value).__eq__, "__code__", None)
        if code is None or code.co_filename != "<string>" or hasattr(value, _OF_A_ROW):
            return _class_of(value)
        fields = [field.name for field in dataclasses.fields(value) if field.compare]
        return [*_class_of(value), self.tell_all(getattr(value, name, None) for name in fields)]

    def partial(self, value: functools.partial[Any]) -> Told:
        """Its function, and what it holds."""
        held = [self.tell_all(value.args), self.mapping(value.keywords)]
        return ["partial", self.tell(value.func), *held]

    def method(self, value: Any) -> Told:
        """Its function, and whose it is."""
        owner = getattr(value, "__self__", None)
        is_free = owner is None or isinstance(owner, types.ModuleType)
        return ["function", function_name(value), None if is_free else self.tell(owner)]


def _class_of(value: object) -> Told:
    return ["object", type(value).__qualname__]


_FUNCTIONS: Final = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.MethodWrapperType,
)
# In this order: a datetime is a date, and an enum's member may be a text.
_TELLERS: Final[tuple[tuple[Any, Callable[[_Teller, Any], Told]], ...]] = (
    (str, _Teller.text),
    (numbers.Number, _Teller.number),  # bool and Decimal included
    (dict, _Teller.mapping),
    ((list, tuple), _Teller.sequence),
    ((set, frozenset), _Teller.set),
    ((bytes, bytearray, memoryview), _Teller.bytes),
    (dt.datetime, _Teller.moment),
    (dt.date, lambda _, value: ["date", value.isoformat()]),
    (dt.time, _Teller.time),
    (dt.timedelta, lambda _, value: ["duration", str(value)]),
    (_AS_TEXT, lambda _, value: [type(value).__name__, str(value)]),
    (PurePath, lambda _, value: ["path", value.as_posix()]),
    (Enum, lambda _, value: ["enum", type(value).__qualname__, value.name]),
    (BaseModel, _Teller.model),
    (range, _Teller.range),
    (types.MappingProxyType, _Teller.mapping),
    (functools.partial, _Teller.partial),
    (_FUNCTIONS, _Teller.method),
    (type, lambda _, value: ["class", value.__qualname__]),
    (types.ModuleType, lambda _, value: ["module", value.__name__]),
)


def _argument(value: object) -> Told:
    """What is told of one argument; of what cannot be read, is too deep or too large: its class."""
    try:
        return _Teller().tell(value)
    except Exception:  # noqa: BLE001 - whatever a class of the program's own does
        return _class_of(value)
