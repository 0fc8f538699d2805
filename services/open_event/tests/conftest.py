"""One conference for all tests of rules, which is as it was at first for each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from services.open_event.app import create_app
from services.open_event.tests.asking import Api
from services.open_event.tests.saved import restorer


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> tuple[Flask, Callable[[], None]]:
    app = create_app({"LICET_INSTANCE_PATH": str(tmp_path_factory.mktemp("open_event"))})
    return app, restorer(app)


@pytest.fixture
def api(service: tuple[Flask, Callable[[], None]]) -> Api:
    app, restore = service
    restore()
    return Api(app)


@pytest.fixture
def db(api: Api) -> Any:
    with sa.orm.Session(api.engine) as session:
        yield session
