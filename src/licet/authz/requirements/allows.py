"""`Allows`: whose identity is checked, and what happens to those who may not pass.

Source: seed document 002 ("Extension", "Controlling Failure").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import iscoroutinefunction
from types import CoroutineType, MappingProxyType, TracebackType
from typing import Any, Final, TypeVar

from flask import Flask
from werkzeug.exceptions import Forbidden
from werkzeug.local import LocalProxy

from licet.authn.callers import require_standing
from licet.authn.flask import current_identity
from licet.authn.identity import Identity
from licet.authz.callers.nobody import is_nobody, refusal_of_nobody
from licet.authz.requirements._contexts import begin_request, no_context_is_open
from licet.authz.requirements._current import (
    EXTENSION,
    app_itself,
    asked_in_templates,
    has_request_context,
)
from licet.authz.requirements._engine import Checklist
from licet.authz.requirements._guard import Throws, guard
from licet.authz.requirements._streams import hold_while_streaming
from licet.authz.requirements.changes import (
    Additional,
    AdditionalManager,
    OverrideManager,
    while_in_force,
)
from licet.errors import AccessDenied, UsageError
from licet.errors.names import knows_its_options

__all__ = [
    "Allows",
    "Permission",
    "allows",
    "allows_of_app",
]


V = TypeVar("V", bound=Callable[..., Any])
L = TypeVar("L", bound=Callable[[], Any])
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class _ForbiddenUnlessSaid(Forbidden):
    """Stands for Forbidden where nobody named an exception; never raised."""


class Allows:
    """Checks requirements for an app, with these defaults.

    Args:
        app: where to attach; `init_app` does so later.
        identity_loader: gives the caller's identity.
        throws: the exception, or its class, for those who may not pass. When nobody names one, it
            is 403, and 401 for None and for whoever's `is_authenticated` is False.
        on_fail: called before that with what the guarded function was called with, or a value;
            what it gives is the answer, unless None.

    Raises:
        TypeError: the loader cannot be called, or would give a coroutine.
    """

    @knows_its_options
    def __init__(
        self,
        app: Flask | None = None,
        identity_loader: Callable[[], Any] | None = None,
        throws: Throws = _ForbiddenUnlessSaid,
        on_fail: Any = None,
    ) -> None:
        self._identity_loader: Callable[[], Any] | None = None
        if identity_loader is not None:
            self.identity_loader(identity_loader)
        self._throws = None if throws is _ForbiddenUnlessSaid else throws
        self.on_fail = _as_callable(on_fail)
        self.overrides = OverrideManager()
        self.additional = AdditionalManager()
        if app is not None:
            self.init_app(app)

    @property
    def throws(self) -> Throws:
        """What is raised for those who may not pass."""
        return Forbidden if self._throws is None else self._throws

    @throws.setter
    def throws(self, throws: Throws) -> None:
        self._throws = throws

    def init_app(self, app: Flask) -> None:
        """Become the app's Allows: for `requires`, contexts, and ``allowed`` in templates."""
        app.extensions[EXTENSION] = self
        managers = (self.overrides, self.additional)

        @app.before_request
        def begin_contexts() -> None:
            begin_request(managers)

        hold_while_streaming(app)

        @app.context_processor
        def allowed_in_templates() -> dict[str, Any]:
            return {"allowed": asked_in_templates(otherwise=self._allowed)}

    def _allowed(self, *requirements: Any, identity: Any = None) -> bool:
        return self.fulfill(requirements, identity)

    def identity_loader(self, loader: L) -> L:
        """Take `loader` to find out who calls; also as a decorator.

        Raises:
            TypeError: it cannot be called, or would give a coroutine.
        """
        if not callable(loader) or iscoroutinefunction(loader):
            raise TypeError(f"An identity_loader is a plain function without arguments: {loader!r}")
        self._identity_loader = loader
        return loader

    @knows_its_options
    def requires(
        self,
        *requirements: Any,
        identity: Any = None,
        throws: Throws | None = None,
        on_fail: Any = None,
    ) -> Callable[[V], V]:
        """A decorator that lets only those pass who fulfill all requirements.

        Args:
            requirements: functions of the identity, or `Requirement` instances.
            identity: whom to check instead of the loader's.
            throws: goes before the Allows' own.
            on_fail: goes before the Allows' own.

        Raises:
            TypeError: one of them cannot be a requirement.
        """
        checklist = Checklist(requirements)
        return guard(lambda: self, checklist, identity=identity, throws=throws, on_fail=on_fail)

    def fulfill(self, requirements: Iterable[Any], identity: Any = None) -> bool:
        """Whether the given or the current identity passes, with additions and without overrides.

        Raises:
            UsageError: no identity is given, and there is no loader.
            TypeError: one of them cannot be a requirement.
        """
        if identity is None:
            identity = self._load_identity()
        checklist = requirements
        if type(checklist) is not Checklist:
            checklist = Checklist(requirements)
        if no_context_is_open():
            return checklist.holds(identity)
        overridden = self.overrides.current
        additional = self._additions()
        return while_in_force(
            overridden,
            lambda: checklist.holds(
                identity, additional=additional or (), overridden=overridden or ()
            ),
        )

    def _additions(self) -> Additional | None:
        return self.additional.current

    def run(
        self,
        requirements: Iterable[Any],
        identity: Any = None,
        throws: Throws | None = None,
        on_fail: Any = None,
        f_args: Sequence[Any] = (),
        f_kwargs: Mapping[str, Any] = _NOTHING,
        use_on_fail_return: bool = True,  # noqa: FBT001, FBT002 - the seed's signature
    ) -> Any:
        """Check, and see to those who may not pass.

        Returns:
            None for those who pass; else what `on_fail`, called with `f_args` and `f_kwargs`,
            gives, if that is not None and `use_on_fail_return` holds.

        Raises:
            Exception: `throws`, this Allows' when none is given.
        """
        is_loaded = identity is None
        if is_loaded:
            identity = self._load_identity()
        if self.fulfill(requirements, identity):
            return None
        fail = self.on_fail if on_fail is None else _as_callable(on_fail)
        result = fail(*f_args, **f_kwargs)
        if use_on_fail_return and result is not None:
            return result
        if throws is None:
            throws = self._throws
        if throws is None:
            is_anonymous = is_loaded and self._is_nobody(identity)
            throws = refusal_of_nobody(identity) if is_anonymous else AccessDenied
        # An instance that is raised again would keep the traces of earlier requests.
        raise throws.with_traceback(None) if isinstance(throws, BaseException) else throws

    def _is_nobody(self, loaded: Any) -> bool:
        return is_nobody(loaded)

    def _load_identity(self) -> Any:
        if self._identity_loader is None:
            raise UsageError(
                "This Allows has no identity_loader, so it cannot know who calls: give one, as in "
                "Allows(app, identity_loader=lambda: current_user) or @allows.identity_loader."
            )
        identity = self._identity_loader()
        if type(identity) is CoroutineType:  # it would pass for somebody
            identity.close()
            raise UsageError("The identity_loader gave a coroutine: it must be a plain function.")
        if identity is current_identity:  # it would look for the token at each attribute read
            identity = identity._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - werkzeug's
        if isinstance(identity, Identity) and has_request_context():
            require_standing(identity)
        return identity

    def clear_all_overrides(self) -> None:
        """End all override contexts of the current request, or those outside of any.

        Raises:
            UsageError: one was pushed by another manager; it stays.
        """
        self.overrides.clear()

    def clear_all_additional(self) -> None:
        """End all additional contexts of the current request, or those outside of any.

        Raises:
            UsageError: one was pushed by another manager; it stays.
        """
        self.additional.clear()


def _as_callable(on_fail: Any) -> Callable[..., Any]:
    return on_fail if callable(on_fail) else lambda *_args, **_kwargs: on_fail


def allows_of_app() -> Allows:
    """The current app's Allows.

    Raises:
        UsageError: it has none.
    """
    app = app_itself()
    found = app.extensions.get(EXTENSION)
    if found is None:
        raise UsageError(
            f"The app {app.name!r} has no licet.authz.Allows to ask requirements: attach one with "
            "Allows(app, identity_loader=lambda: current_user) or allows.init_app(app)."
        )
    return found  # type: ignore[no-any-return]  # what init_app put there


allows: Allows = LocalProxy(allows_of_app)  # type: ignore[assignment]  # a proxy of one
"""The current app's `Allows`."""


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

    @knows_its_options
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
