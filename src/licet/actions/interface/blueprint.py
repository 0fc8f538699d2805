"""`ActionProviderBlueprint`: a Flask blueprint that serves the Action Provider Interface.

Source: seed document 000; spec, section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from flask import Blueprint, Flask, current_app, has_app_context, request
from flask.blueprints import BlueprintSetupState

from licet.actions.documents import AbstractActionRepository, ActionProviderDescription
from licet.actions.durable.declaration import DurableAction, Handler, Retry, body_model_of
from licet.actions.durable.runtime import durable_runtime
from licet.actions.interface.callbacks import Operation
from licet.actions.interface.config import DEFAULT_CONFIG, ActionProviderConfig
from licet.actions.interface.flask import action_store, make_state_builder, provider_credentials
from licet.actions.interface.provider import ActionProvider
from licet.actions.interface.validation import InputBodyValidator
from licet.actions.store.actions import ActionStore
from licet.actions.types import (
    ActionCancelCallback,
    ActionEnumerationCallback,
    ActionLogCallback,
    ActionReleaseCallback,
    ActionResumeCallback,
    ActionRunCallback,
    ActionStatusCallback,
)
from licet.authn.auth_state import AuthState, StateBuilder
from licet.authn.tokens.bearer import parse_bearer
from licet.errors import ConfigurationError
from licet.errors.names import knows_its_options, options_of, refuse_unknown
from licet.settings.state import app_state

__all__ = ["ActionProviderBlueprint", "CheckerStateBuilder", "add_lifecycle_hooks"]

F = TypeVar("F", bound=Callable[..., Any])
_HOOKS: Final = ("before_request", "after_request", "teardown_request")


class ActionProviderBlueprint(Blueprint):
    """A blueprint whose decorators take the functions that serve a provider's operations.

    Args:
        name, import_name, url_prefix: as for any Flask blueprint; `name` also prefixes the
            credentials in the app's config and keeps the provider's stored actions apart.
        provider_description: what introspection tells, and what requests are checked against.
        additional_scopes: scopes that a token may carry instead of the description's own. Any one
            is enough; later versions of the original toolkit demand all of them.
        action_repository: where actions are kept; then callbacks get an `ActionStatus` instead of
            an id, and operations without a callback are answered from it.
        request_lifecycle_hooks: objects with ``before_request``, ``after_request`` or
            ``teardown_request``: the first called in the order given, the others in reverse.
        config: how requests are validated and Globus clients made.
        globus_auth_client_name: the audience of tokens in old Globus Auth clients; not needed.
        blueprint_options: passed on to Flask's Blueprint.

    Raises:
        UnknownName: neither this nor Flask's Blueprint has an option of that name.
        ConfigurationError: the description's input schema is not usable; and, when the blueprint is
            registered with an app, there is no way to check tokens.
    """

    def __init__(
        self,
        name: str,
        import_name: str,
        url_prefix: str | None = None,
        provider_description: ActionProviderDescription | None = None,
        *,
        additional_scopes: Iterable[str] = (),
        action_repository: AbstractActionRepository | None = None,
        request_lifecycle_hooks: Sequence[object] | None = None,
        config: ActionProviderConfig = DEFAULT_CONFIG,
        globus_auth_client_name: str | None = None,
        **blueprint_options: Any,
    ) -> None:
        refuse_unknown("ActionProviderBlueprint has no option", blueprint_options, _OPTIONS)
        if provider_description is None:
            raise ConfigurationError(f"The provider {name!r} has no provider_description.")
        super().__init__(name, import_name, url_prefix=url_prefix, **blueprint_options)
        self.provider_description = provider_description
        self.additional_scopes = tuple(additional_scopes)
        self.config = config
        self._given_state_builder: StateBuilder | None = None
        self._given_checker: Any = None
        self._state_key = f"actions.state_builder.{id(self)}"
        self.provider = ActionProvider(
            description=provider_description,
            repository=action_repository,
            config=config,
            state_builder=lambda: self.state_builder,
        )
        add_lifecycle_hooks(self, request_lifecycle_hooks or ())
        self.record_once(self._create_state_builder)
        self.provider.add_routes(self)

    @property
    def action_repo(self) -> AbstractActionRepository | None:
        """Where actions are kept, if not by the callbacks themselves."""
        return self.provider.repository

    @property
    def input_body_validator(self) -> InputBodyValidator:
        """What checks the body of a request to run."""
        return self.provider.input_body_validator

    @property
    def state_builder(self) -> StateBuilder:
        """What makes the `AuthState` of a request's caller.

        Made for each app when the blueprint is registered with it; assign one to use it instead in
        every app, as tests do, and delete it to have each app's own again.
        """
        if self._given_state_builder is not None:
            return self._given_state_builder
        try:
            state = app_state(current_app)
        except RuntimeError as error:
            if has_app_context():
                raise
            raise ConfigurationError(
                f"The provider {self.name!r} has a state_builder for each app: read it inside a "
                "request or an application context."
            ) from error
        return state.get_or_build(self._state_key, self._missing)

    @state_builder.setter
    def state_builder(self, builder: StateBuilder) -> None:
        self._given_state_builder = builder

    @state_builder.deleter
    def state_builder(self) -> None:
        self._given_state_builder = None

    @property
    def checker(self) -> Any:
        """What `state_builder` was in versions 0.10 to 0.18 of the original: checks tokens.

        Assign one whose ``check_token(token)`` gives the `AuthState` of every request, as tests do.
        """
        return self._given_checker or self.state_builder

    @checker.setter
    def checker(self, checker: Any) -> None:
        self._given_checker = checker
        self.state_builder = CheckerStateBuilder(checker)

    def _missing(self, _settings: object) -> StateBuilder:
        raise ConfigurationError(
            f"The provider {self.name!r} was registered without its _create_state_builder and was "
            "given no state_builder instead."
        )

    def _create_state_builder(self, setup_state: BlueprintSetupState) -> None:
        """Make the app's state builder; a deferred function that ported tests remove by name."""
        app = cast("Flask", setup_state.app)
        client_id, client_secret = provider_credentials(app.config, self.name)
        builder = make_state_builder(
            app,
            provider=self.name,
            client_id=client_id,
            client_secret=client_secret,
            accepted_scopes=(self.provider_description.globus_auth_scope, *self.additional_scopes),
            client_factory=self.config.client_factory,
        )
        app_state(app).put(self._state_key, builder)

    def _register(self, operation: Operation, function: F) -> F:
        if self.provider.durable is not None:
            raise ConfigurationError(
                f"The provider {self.name!r} has a durable function, which serves all operations: "
                f"it takes no callback for {operation!s}."
            )
        self.provider.callbacks.register(operation, function)
        return function

    @knows_its_options
    def durable(
        self,
        *,
        max_attempts: int = 1,
        max_recoveries: int = 5,
        retry: Retry | None = None,
        lease_seconds: float = 30.0,
        attempt_seconds: float | None = None,
        concurrency: int | None = None,
        version: int = 1,
        versions: Mapping[int, Handler] | None = None,
    ) -> Callable[[F], F]:
        """Have workers run ``func(action, body)`` for each request, and the store serve the rest.

        All eight operations are then there: actions are stored before they are answered for, run
        in the background, and survive the death of any process.

        Args:
            max_attempts: how many times the function may fail by an exception that `retry` names,
                before the action has failed.
            max_recoveries: how many workers an action may lose one after another, without
                completing a step, before it has failed.
            retry: which exceptions are tried again, and when; by default every `Exception`.
            lease_seconds: how long a worker that is not heard of keeps an action.
            attempt_seconds: how long one attempt may take before it fails as ``AttemptTimedOut``;
                None: what ``LICET_ATTEMPT_SECONDS`` says, which is for ever unless it is set.
            concurrency: how many of them a process runs at once; None: as many as it has threads.
            version: which version of the function this is, stored with each action; workers run
                the actions of the versions that they have.
            versions: older functions by their versions, for the actions that are left of theirs.

        The function takes a `RunningAction` and the request's body, as the pydantic class of its
        annotation (or of the description's input schema), else as a dict. It returns a dict, a
        pydantic model, an `ActionStatus` or None.

        Raises:
            ConfigurationError: an option is out of range; the blueprint has callbacks or another
                repository; it was registered already.
        """

        def register(func: F) -> F:
            self._make_durable(
                DurableAction(
                    provider=self.name,
                    handler=func,
                    description=self.provider_description,
                    max_attempts=max_attempts,
                    max_recoveries=max_recoveries,
                    retry=Retry() if retry is None else retry,
                    lease_seconds=lease_seconds,
                    attempt_seconds=attempt_seconds,
                    concurrency=concurrency,
                    version=version,
                    versions=dict(versions or {}),
                    body_model=body_model_of(func, self.provider_description),
                )
            )
            return func

        return register

    def _make_durable(self, action: DurableAction) -> None:
        provider = self.provider
        if provider.durable is not None or any(op in provider.callbacks for op in Operation):
            raise ConfigurationError(
                f"The provider {self.name!r} has callbacks or a durable function already: a "
                "durable function serves all operations, and is the only one."
            )
        if self._got_registered_once:
            raise ConfigurationError(
                f"The provider {self.name!r} is registered already: declare its durable function "
                "before app.register_blueprint."
            )
        if provider.repository is None:
            provider.repository = action_store(self.name)
        store = provider.repository
        if not isinstance(store, ActionStore) or store.provider != self.name:
            raise ConfigurationError(
                f"Durable actions are kept in licet's own store: give the provider {self.name!r} "
                f"no action_repository, or action_store({self.name!r})."
            )
        provider.durable = action
        self.record_once(lambda state: _add_to_runtime(state.app, action, store))

    def action_run(self, func: ActionRunCallback) -> ActionRunCallback:
        """Have ``func(request, auth)`` start actions."""
        return self._register(Operation.RUN, func)

    def action_status(self, func: ActionStatusCallback) -> ActionStatusCallback:
        """Have ``func(action_id, auth)`` tell an action's state."""
        return self._register(Operation.STATUS, func)

    def action_cancel(self, func: ActionCancelCallback) -> ActionCancelCallback:
        """Have ``func(action_id, auth)`` end an action early."""
        return self._register(Operation.CANCEL, func)

    def action_release(self, func: ActionReleaseCallback) -> ActionReleaseCallback:
        """Have ``func(action_id, auth)`` forget a completed action."""
        return self._register(Operation.RELEASE, func)

    def action_resume(self, func: ActionResumeCallback) -> ActionResumeCallback:
        """Have ``func(action_id, auth)`` go on with an INACTIVE action."""
        return self._register(Operation.RESUME, func)

    def action_log(self, func: ActionLogCallback) -> ActionLogCallback:
        """Have ``func(action_id, auth)`` tell an action's log."""
        return self._register(Operation.LOG, func)

    def action_enumerate(self, func: ActionEnumerationCallback) -> ActionEnumerationCallback:
        """Have ``func(auth, params)`` list the caller's actions."""
        return self._register(Operation.ENUMERATE, func)


def _add_to_runtime(app: Any, action: DurableAction, store: ActionStore) -> None:
    runtime = durable_runtime(app)
    if not runtime.jobs:  # the first one: workers begin with the first request
        app.before_request(runtime.start)
    runtime.add(action, store)


_OPTIONS: Final = options_of(ActionProviderBlueprint.__init__) | options_of(Blueprint.__init__)


@dataclass(frozen=True)
class CheckerStateBuilder:
    """A state builder over what has only ``check_token``; no token at all is the empty one."""

    checker: Any

    def build_from_request(self) -> AuthState:
        """The state that the checker gives to the current request's token."""
        header = request.headers.get("Authorization")
        state: AuthState = self.checker.check_token(parse_bearer(header) if header else "")
        return state


def add_lifecycle_hooks(blueprint: Blueprint, hooks: Iterable[object]) -> None:
    """Register each hook's ``before_request``, ``after_request`` and ``teardown_request``."""
    for hook in hooks:
        for name in _HOOKS:
            if (function := getattr(hook, name, None)) is not None:
                getattr(blueprint, name)(function)
