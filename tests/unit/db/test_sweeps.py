"""What an app has done from time to time, and who calls it."""

import pytest
from flask import Flask, current_app

from licet import Licet
from licet.actions.durable.runtime import durable_runtime
from licet.actions.durable.sweeper import OTHERS_SECONDS, Sweeper
from licet.db import on_sweep
from licet.errors import ConfigurationError, StoreUnavailable


@pytest.fixture
def app(tmp_path):
    made = Flask("swept", instance_path=str(tmp_path))
    Licet(made)
    return made


def test_a_round_calls_it_in_a_context_of_the_app(app):
    """And tells how many rows it changed, of all functions together."""
    seen = []
    on_sweep(app, "one", lambda: seen.append(current_app.name) or 3)
    on_sweep(app, "two", lambda: 4)
    assert durable_runtime(app).make_sweeper().sweep_once().purged == 7
    assert seen == ["swept"]


def test_a_name_has_one_function(app):
    """The last one."""
    on_sweep(app, "one", lambda: 3)
    on_sweep(app, "one", lambda: 5)
    assert durable_runtime(app).make_sweeper().sweep_once().purged == 5


@pytest.mark.parametrize("error", [ValueError("bad"), StoreUnavailable()])
def test_a_function_that_fails_is_not_the_end_of_the_others(app, error, caplog):
    """The log says which; it is called again."""
    rounds = []

    def fail():
        rounds.append(1)
        raise error

    on_sweep(app, "drafts", fail)
    on_sweep(app, "other", lambda: 2)
    sweeper = durable_runtime(app).make_sweeper()
    assert [sweeper.sweep_once().purged, sweeper.sweep_once().purged] == [2, 2]
    assert len(rounds) == 2
    assert "The sweep drafts" in caplog.text


def test_it_is_called_once_a_minute():
    """A sweeper's own rounds are more frequent; a round by hand waits for nothing."""
    now = [100.0]
    sweeper = Sweeper(
        [],
        dispatch=lambda _provider, _action_id: True,
        dispatches=False,
        stored=list,
        others=lambda: {"one": lambda: 1},
        monotonic=lambda: now[0],
    )
    assert [sweeper.sweep().purged for _ in range(3)] == [1, 0, 0]
    now[0] += OTHERS_SECONDS
    assert [sweeper.sweep().purged, sweeper.sweep().purged] == [1, 0]
    assert sweeper.sweep_once().purged == 1


@pytest.mark.parametrize(("name", "fn"), [("", len), (None, len), ("a", None), ("a", 3)])
def test_what_cannot_be_called_is_refused(app, name, fn):
    """When it is registered."""
    with pytest.raises(ConfigurationError, match="on_sweep"):
        on_sweep(app, name, fn)
