"""`Permission`: a check in the middle of a function, as a condition or as a block.

Source: seed document 002 ("Permission").
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from licet.authz._engine import Checklist
from licet.authz._guard import Throws
from licet.authz.allows import allows_of_app

__all__ = ["Permission"]


class Permission:
    """Requirements as something that is true, or a block that only some may enter.

    ``if permission:`` only asks. ``with permission:`` calls `on_fail` for those who may not enter,
    whatever that returns, and raises `throws`. Both need an app context; making it does not.

    Args:
        requirements: all must pass.
        throws: goes before that of the app's Allows.
        on_fail: goes before that of the app's Allows; called without arguments.
        identity: whom to check instead of the loader's.

    Raises:
        TypeError: one of them cannot be a requirement.
    """

    def __init__(
        self,
        *requirements: Any,
        throws: Throws | None = None,
        on_fail: Any = None,
        identity: Any = None,
    ) -> None:
        self._checklist = Checklist(requirements)
        self.throws = throws
        self.on_fail = on_fail
        self.identity = identity

    @property
    def requirements(self) -> tuple[Any, ...]:
        """What is asked."""
        return self._checklist.requirements

    def __bool__(self) -> bool:
        return allows_of_app().fulfill(self._checklist, identity=self.identity)

    def __enter__(self) -> None:
        allows_of_app().run(
            self._checklist,
            identity=self.identity,
            throws=self.throws,
            on_fail=self.on_fail,
            use_on_fail_return=False,
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the block; whatever was raised in it goes on."""
