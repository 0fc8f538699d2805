"""The command as a user types it, without a process of its own."""

import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from stamina.instrumentation import set_on_retry_hooks

from licet.cli import main

SITE = "services.site:create_app"


@pytest.fixture
def licet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Result]]:
    """Runs ``licet`` with these words; settings come from an empty instance folder."""
    for name in ("LICET_APP", "FLASK_APP", "LICET_TOKEN", "PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LICET_INSTANCE_PATH", str(tmp_path / "instance"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(sys, "path", sys.path[:])

    # click 8.1 would put both streams into one
    mixes = "mix_stderr" in inspect.signature(CliRunner).parameters
    runner = CliRunner(**({"mix_stderr": False} if mixes else {}))

    def run(*words: str, **options: object) -> Result:
        return runner.invoke(main, words, **options)

    yield run
    set_on_retry_hooks(None)
