"""What a provider says of its durable action: the handler, and how it is run.

Source: spec, section 4 (``@blueprint.durable``).
"""

from __future__ import annotations

import inspect
import random
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import Any, Final

from pydantic import BaseModel

from licet.actions.documents import ActionProviderDescription
from licet.errors import ActionFailure, ConfigurationError
from licet.errors.names import knows_options_of

__all__ = ["DurableAction", "Handler", "Retry"]

Handler = Callable[..., Any]
MAX_CONCURRENCY: Final = 1000
MAX_SECONDS: Final = 30 * 86_400
MAX_VERSION: Final = 2**31 - 1  # as the database keeps it


@knows_options_of
@dataclass(frozen=True, kw_only=True)
class Retry:
    """Which failures are tried again, and when.

    Args:
        on: the exceptions that another attempt could mend.
        wait_seconds: how long the second attempt waits; each further one `factor` times as long,
            up to `max_wait_seconds`, and up to a fifth more or less at random.

    What a lost worker left is taken up again whatever this says, up to `max_recoveries`.
    """

    on: tuple[type[Exception], ...] = (Exception,)
    wait_seconds: float = 1.0
    factor: float = 2.0
    max_wait_seconds: float = 300.0
    jitter: Callable[[], float] = field(default=random.random, repr=False)

    def __post_init__(self) -> None:
        if self.wait_seconds < 0 or self.factor < 1 or self.max_wait_seconds < 0:
            raise ConfigurationError(f"{self!r}: waits cannot be negative, nor the factor below 1.")

    def wait_after(self, error: BaseException, attempt: int) -> timedelta | None:
        """How long to wait after the failure of an attempt, counted from 1; None: do not retry."""
        if isinstance(error, ActionFailure):
            if not error.may_retry:
                return None
        elif not isinstance(error, self.on):
            return None
        wait = min(self.wait_seconds * self.factor ** min(attempt - 1, 64), self.max_wait_seconds)
        return timedelta(seconds=wait * (0.8 + 0.4 * self.jitter()))


@dataclass(frozen=True, kw_only=True)
class DurableAction:
    """One provider's durable action.

    `lease_seconds` is how long a silent worker keeps an action; `max_recoveries` how many workers
    an action may lose in a row, completing no step, before it has failed; `attempt_seconds` how
    long one attempt may take, None for ever; `concurrency` how many of them one process runs at
    once, None for as many as it has threads. `version` is the handler's, stored with each action
    that is submitted; `versions` are older handlers, for the actions of theirs.
    """

    provider: str
    handler: Handler
    description: ActionProviderDescription
    max_attempts: int = 1
    max_recoveries: int = 5
    retry: Retry = field(default_factory=Retry)
    lease_seconds: float = 30.0
    attempt_seconds: float | None = None
    concurrency: int | None = None
    body_model: type[BaseModel] | None = None
    version: int = 1
    versions: Mapping[int, Handler] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ConfigurationError: naming the option.
        """
        name = f"The durable action of {self.provider!r}"
        if not callable(self.handler) or inspect.iscoroutinefunction(self.handler):
            raise ConfigurationError(f"{name} takes an ordinary function, not {self.handler!r}.")
        for option in ("max_attempts", "max_recoveries"):
            count = getattr(self, option)
            if not isinstance(count, int) or not 1 <= count <= 1000:
                raise ConfigurationError(f"{name} has {option}={count!r}: write 1 to 1000.")
        self._require_versions(name)
        if not 0.1 <= self.lease_seconds <= 86_400:
            raise ConfigurationError(
                f"{name} has lease_seconds={self.lease_seconds!r}: write 0.1 to 86400."
            )
        if self.attempt_seconds is not None and not 0 < self.attempt_seconds <= MAX_SECONDS:
            raise ConfigurationError(
                f"{name} has attempt_seconds={self.attempt_seconds!r}: write None, or more than 0 "
                f"and at most {MAX_SECONDS}."
            )
        if self.concurrency is not None and not 1 <= self.concurrency <= MAX_CONCURRENCY:
            raise ConfigurationError(
                f"{name} has concurrency={self.concurrency!r}: write 1 to {MAX_CONCURRENCY}."
            )

    def _require_versions(self, name: str) -> None:
        for version in (self.version, *self.versions):
            if type(version) is not int or not 1 <= version <= MAX_VERSION:
                raise ConfigurationError(
                    f"{name} has the version {version!r}: write a whole number from 1 on."
                )
        if self.version in self.versions:
            raise ConfigurationError(
                f"{name} has two handlers of version {self.version}: `versions` is for older ones."
            )
        for handler in self.versions.values():
            if not callable(handler) or inspect.iscoroutinefunction(handler):
                raise ConfigurationError(f"{name} takes an ordinary function, not {handler!r}.")

    @cached_property
    def of_version(self) -> Mapping[int, DurableAction]:
        """The action by the versions whose handlers there are."""
        older = {
            version: replace(
                self,
                handler=handler,
                version=version,
                versions={},
                body_model=body_model_of(handler, self.description),
            )
            for version, handler in self.versions.items()
        }
        return {self.version: self, **older}

    @cached_property
    def lease(self) -> timedelta:
        """How long a silent worker keeps an action."""
        return timedelta(seconds=self.lease_seconds)

    def body_of(self, body: dict[str, Any]) -> Any:
        """The request's body as the handler takes it."""
        return body if self.body_model is None else self.body_model.model_validate(body)


def body_model_of(handler: Handler, description: ActionProviderDescription) -> Any:
    """The pydantic class of a handler's second argument: its annotation's, else the schema's."""
    parameters = list(inspect.signature(handler).parameters.values())
    if len(parameters) < 2:
        raise ConfigurationError(
            f"The handler {handler!r} takes (action, body): it has {len(parameters)} parameters."
        )
    try:
        annotation = typing.get_type_hints(handler).get(parameters[1].name)
    except (NameError, TypeError):  # names that exist for type checkers only
        annotation = None
    for candidate in (annotation, description.input_schema if annotation is None else None):
        if inspect.isclass(candidate) and issubclass(candidate, BaseModel):
            return candidate
    return None
