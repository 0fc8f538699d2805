"""What a provider says of its durable action."""

import random
from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel

from licet.actions.documents import ActionProviderDescription
from licet.actions.durable.declaration import DurableAction, Retry, body_model_of
from licet.errors import ActionFailure, ConfigurationError

if TYPE_CHECKING:
    from nowhere import Unknown


class Body(BaseModel):
    n: int


def describe(schema=None) -> ActionProviderDescription:
    return ActionProviderDescription(
        globus_auth_scope="s",
        title="t",
        admin_contact="c",
        synchronous=False,
        input_schema=schema or {},
    )


def make(**options) -> DurableAction:
    return DurableAction(
        **{"provider": "p", "handler": lambda action, body: None, "description": describe()}
        | options
    )


class TestRetry:
    def test_waits_grow(self):
        """Each wait is longer than the one before, up to a limit."""
        retry = Retry(wait_seconds=1, factor=3, max_wait_seconds=10, jitter=lambda: 0.5)
        waits = [retry.wait_after(ValueError(), n).total_seconds() for n in (1, 2, 3, 4, 1000)]
        assert waits == [1, 3, 9, 10, 10]

    def test_waits_differ(self):
        """At most a fifth more or less, so that what failed together is not tried together."""
        waits = [Retry().wait_after(ValueError(), 1).total_seconds() for _ in range(200)]
        assert 0.8 <= min(waits) < 0.9
        assert 1.1 < max(waits) <= 1.2

    def test_only_what_is_named(self):
        """What another attempt would not mend is not tried again; an exit never is."""
        retry = Retry(on=(ConnectionError,))
        assert retry.wait_after(ConnectionResetError(), 1) is not None
        assert retry.wait_after(ValueError(), 1) is None
        assert Retry().wait_after(SystemExit(), 1) is None

    def test_a_failure_says_itself_whether(self):
        """An ActionFailure is tried again only when it says so."""
        assert Retry().wait_after(ActionFailure("c", "d"), 1) is None
        retry = Retry(on=(ConnectionError,))
        assert retry.wait_after(ActionFailure("c", "d", may_retry=True), 1) is not None

    @pytest.mark.parametrize(
        "options", [{"wait_seconds": -1}, {"factor": 0.5}, {"max_wait_seconds": -1}]
    )
    def test_what_makes_no_sense(self, options):
        """Waits below nothing are refused."""
        with pytest.raises(ConfigurationError, match="cannot be negative"):
            Retry(**options)


class TestOptions:
    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("max_attempts", 0),
            ("max_attempts", 1001),
            ("max_attempts", 1.5),
            ("lease_seconds", 0),
            ("lease_seconds", 1e9),
            ("concurrency", 0),
            ("concurrency", 1001),
        ],
    )
    def test_out_of_range(self, option, value):
        """The error names the provider, the option and its value."""
        with pytest.raises(ConfigurationError, match=f"'p' has {option}={value!r}"):
            make(**{option: value})

    @pytest.mark.parametrize("handler", [None, "name"])
    def test_what_is_no_function(self, handler):
        """A handler can be called."""
        with pytest.raises(ConfigurationError, match="takes an ordinary function"):
            make(handler=handler)

    def test_coroutines_are_refused(self):
        """Nobody would await it."""

        async def handler(action, body): ...

        with pytest.raises(ConfigurationError, match="takes an ordinary function"):
            make(handler=handler)


class TestBody:
    def test_as_the_annotation_says(self):
        """A pydantic class in the signature counts."""

        def handler(action, body: Body): ...

        assert body_model_of(handler, describe()) is Body

    def test_else_as_the_schema_says(self):
        """Without an annotation the description's class counts."""
        assert body_model_of(lambda action, body: None, describe(Body)) is Body

    def test_a_dict_where_a_dict_is_asked_for(self):
        """An annotation that is no pydantic class means the plain body."""

        def handler(action, body: dict): ...

        assert body_model_of(handler, describe(Body)) is None
        assert make().body_of({"n": 1}) == {"n": 1}
        assert make(body_model=Body).body_of({"n": 1}) == Body(n=1)

    def test_names_that_only_type_checkers_know(self):
        """An annotation that cannot be read is none."""

        def handler(action, body: "Unknown"): ...

        assert body_model_of(handler, describe()) is None

    def test_too_few_parameters(self):
        """The error tells how many there are."""
        with pytest.raises(ConfigurationError, match="it has 1 parameters"):
            body_model_of(lambda action: None, describe())


def test_the_jitter_is_random():
    """By default it is Python's own."""
    assert Retry().jitter.__self__ is random._inst
