"""Debian's chromium, with and without JavaScript, and apps that are served to it over HTTPS."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from playwright.sync_api import Browser, Page, sync_playwright
from tests.counts import unavailable
from tests.unit.actions.serving import _Quiet
from tests.unit.authn.accounts.people import Mails
from werkzeug.serving import make_server

from licet import Licet
from licet.authn.accounts.flask import MAIL, PASSWORDS, accounts_of
from licet.authn.accounts.passwords import Passwords
from licet.settings.state import app_state

ENOUGH_MS = 15_000


@pytest.fixture(scope="module")  # while it is open, this thread's event loop is Playwright's
def chromium() -> Iterator[Browser]:
    """The browser; without one the tests are skipped, or fail under CI."""
    path = shutil.which("chromium")
    if path is None:
        unavailable("chromium is not installed: apt-get install chromium, or make .tools/.chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page of a browser that nobody used before."""
    with opened(chromium) as found:
        yield found


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def any_page(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[Page]:
    """The same, with JavaScript and without."""
    with opened(chromium, runs_scripts=request.param) as found:
        yield found


@contextmanager
def opened(chromium: Browser, *, runs_scripts: bool = True) -> Iterator[Page]:
    """The same, until the end of the block."""
    context = chromium.new_context(ignore_https_errors=True, java_script_enabled=runs_scripts)
    context.set_default_timeout(ENOUGH_MS)
    try:
        yield context.new_page()
    finally:
        context.close()


class Site:
    """An app over HTTPS; `attach` is called with the app before it is served."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.app: Flask | None = None
        self._folder = folder
        self._server = make_server(
            "127.0.0.1",
            0,
            self._answer,
            threaded=True,
            request_handler=_Quiet,
            ssl_context="adhoc",
        )
        self.url = f"https://127.0.0.1:{self._server.port}"
        stack.callback(self._server.server_close)

    def _answer(self, environ: Any, start_response: Any) -> Any:
        assert self.app is not None
        return self.app(environ, start_response)

    @contextmanager
    def serve(self, attach: Callable[[Flask], None], **config: Any) -> Iterator[Flask]:
        """The app with these settings, until the end of the block."""
        self.app = app = Flask("site", instance_path=str(self._folder))
        app.config.update({"LICET_PUBLIC_URL": self.url, "LICET_ISSUER": self.url} | config)
        hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        app_state(app).put(PASSWORDS, Passwords(hasher))
        app_state(app).put(MAIL, Mails())
        Licet(app)
        attach(app)
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield app
        finally:
            self._server.shutdown()
            thread.join()
            if app_state(app).settings.accounts.enabled:
                assert accounts_of(app).outbox.wait(10)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """An address that apps can be served at."""
    with ExitStack() as stack:
        yield Site(tmp_path, stack)
