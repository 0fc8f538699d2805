"""One line a request in CloudWatch's Embedded Metric Format."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from tests.api.providers import PREFIX, Site, describe, make_callbacks

from licet.actions.interface.hooks import CloudWatchMetricEMFLogger
from licet.errors import ConfigurationError

LOGGER = "licet.cloudwatch_metric_emf_logger"


def make_site(instance: Path, log_level: int | None = None) -> Site:
    hook = CloudWatchMetricEMFLogger("Space", "echo", log_level)
    blueprint = make_callbacks(describe(), request_lifecycle_hooks=[hook])
    return Site("callbacks", blueprint, instance)


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The documents that were logged."""
    return [json.loads(record.getMessage()) for record in caplog.records if record.name == LOGGER]


@pytest.mark.parametrize(
    ("operation", "options", "counted"),
    [
        ("introspect", {}, "2XXs"),
        ("run", {"data": '{"request_id": "r", "body": {"echo": "x"}}'}, "2XXs"),
        ("run", {"by": None}, "4XXs"),
        ("status", {}, "4XXs"),
        ("enumerate", {}, "2XXs"),
        ("log", {"by": None}, "4XXs"),
    ],
)
def test_each_request_is_counted(
    instance: Path, caplog: pytest.LogCaptureFixture, operation: str, options: Any, counted: str
):
    """One line with the route and one class of status, refused requests included."""
    caplog.set_level(logging.INFO, LOGGER)

    make_site(instance, logging.INFO).call(operation, **options)

    (line,) = lines(caplog)
    assert (line["ActionProvider"], line["Route"]) == ("echo", operation)
    assert line["RequestCount"] == 1
    assert {name for name in ("2XXs", "4XXs", "5XXs") if line[name]} == {counted}
    assert line["RequestLatency"] > 0


def test_failures_are_counted(instance: Path, caplog: pytest.LogCaptureFixture):
    """A callback that raises is a 5XX."""
    caplog.set_level(logging.INFO, LOGGER)
    hook = CloudWatchMetricEMFLogger("Space", "echo", logging.INFO)
    blueprint = make_callbacks(describe(), request_lifecycle_hooks=[hook])
    blueprint.action_status(lambda *_: 1 / 0)

    Site("callbacks", blueprint, instance).call("status")

    (line,) = lines(caplog)
    assert (line["2XXs"], line["4XXs"], line["5XXs"]) == (0, 0, 1)


def test_the_format_is_that_of_cloudwatch(instance: Path, caplog: pytest.LogCaptureFixture):
    """Namespace, dimensions, metrics with units, and the time in milliseconds."""
    caplog.set_level(logging.INFO, LOGGER)
    make_site(instance, logging.INFO).call("introspect")

    (line,) = lines(caplog)
    (metrics,) = line["_aws"]["CloudWatchMetrics"]

    assert line["_aws"]["Timestamp"] > 1_600_000_000_000
    assert metrics["Namespace"] == "Space"
    assert metrics["Dimensions"] == [["ActionProvider"], ["ActionProvider", "Route"]]
    assert {m["Name"]: m["Unit"] for m in metrics["Metrics"]} == {
        "RequestCount": "Count",
        "2XXs": "Count",
        "4XXs": "Count",
        "5XXs": "Count",
        "RequestLatency": "Milliseconds",
    }


def test_without_a_level_lines_are_printed(instance: Path, capsys: pytest.CaptureFixture[str]):
    """CloudWatch's agent reads standard output."""
    make_site(instance).call("introspect")

    assert json.loads(capsys.readouterr().out)["Route"] == "introspect"


def test_preflights_count_as_introspection(instance: Path, caplog: pytest.LogCaptureFixture):
    """OPTIONS is answered by the same view."""
    caplog.set_level(logging.INFO, LOGGER)

    make_site(instance, logging.INFO).client.options(PREFIX)

    assert lines(caplog)[0]["2XXs"] == 1


def test_other_views_of_the_blueprint_are_not_counted(
    instance: Path, capsys: pytest.CaptureFixture[str]
):
    """Only the interface's operations are routes."""
    hook = CloudWatchMetricEMFLogger("Space", "echo")
    blueprint = make_callbacks(describe(), request_lifecycle_hooks=[hook])
    blueprint.add_url_rule("/extra/page/here", "extra", lambda: "x")

    response = Site("callbacks", blueprint, instance).client.get(f"{PREFIX}/extra/page/here")

    assert response.text == "x"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("names", [("", "echo"), ("Space", "")])
def test_both_names_are_needed(names: tuple[str, str]):
    """Metrics without a namespace or provider could not be found again."""
    with pytest.raises(ConfigurationError, match="namespace"):
        CloudWatchMetricEMFLogger(*names)
