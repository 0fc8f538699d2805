"""Names of a package that are imported when they are first asked for (PEP 562).

A package's ``__init__`` lists its names for type checkers, as imports under ``TYPE_CHECKING``, and
for `lazy_names`. Importing one module of the package then imports no other. It is here because the
errors are the one subject that all others may import.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from threading import RLock
from typing import Final

__all__ = ["lazy_names"]

_ONE_AT_A_TIME: Final = RLock()


def lazy_names(
    package: str, names_of: Mapping[str, str], *, submodules: str = "", own_lock: bool = False
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The ``__getattr__`` and ``__dir__`` of `package`.

    Args:
        package: its ``__name__``.
        names_of: the names that each module gives, separated by spaces. None of them may be the
            name of a module of the package: importing that module would put it in their place.
        submodules: names of modules of the package that are imported in the same way.
        own_lock: whether modules of licet ask the package for names while they are imported.

    Concurrency: threads import one after another. werkzeug and SQLAlchemy import in circles, and
    Python gives a thread half a module when two threads enter a circle at different places. A
    module that asks for a name while it is imported could wait for a thread that waits for that
    module; modules of licet ask one package only, `licet.errors`, which has a lock of its own.
    """
    module_of = {name: module for module, names in names_of.items() for name in names.split()}
    module_of |= {name: f"{package}.{name}" for name in submodules.split()}
    lock = RLock() if own_lock else _ONE_AT_A_TIME

    def get(name: str) -> object:
        if name not in module_of:
            raise AttributeError(
                f"module {package!r} has no attribute {name!r}", name=name, obj=sys.modules[package]
            )
        with lock:
            found: object = import_module(module_of[name])
            if module_of[name] != f"{package}.{name}":
                found = getattr(found, name)
        setattr(sys.modules[package], name, found)  # asked for once
        return found

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *module_of})

    return get, names
