"""schemathesis over the documents of the conference and of the site, for three kinds of caller.

No answer is a server error but a documented 501, none has a status, type, header or body that the
document does not have, none lets in a caller without the token that the document asks for, and none
shows what was deleted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks
from services.open_event.app import create_app as create_conference
from services.site import create_app as create_site
from tests.counts import count, is_full, only_full
from tests.unit.rest.openapi.apps import add_boat, harbour

from licet.actions.interface.flask import provider_scopes
from licet.authn import embedded_issuer
from licet.rest.openapi import OpenApi

pytestmark = [
    pytest.mark.usefixtures("unmeasured"),
    # schemathesis leaves the files open that the app sends
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def create_harbour(config: dict[str, Any]) -> Flask:
    app = harbour(Path(config["LICET_INSTANCE_PATH"]))
    for _ in range(6):
        add_boat(app, name="A boat")
    OpenApi(app, title="The harbour")
    return app


APPS = {"conference": create_conference, "site": create_site, "harbour": create_harbour}
KEYS = {"id", "key", "boat"}
CALLERS = ("nobody", "bob", "admin")
EXAMPLES = count(quick=1, full=5)
EACH = count(quick=9, full=1)  # of the operations; another ninth for each caller
MODES = count(quick=1, full=2)
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.ignored_auth,
    checks.use_after_free,
]


@dataclass
class Target:
    """An app, its document as schemathesis reads it, and the headers of a caller."""

    schema: Any
    headers: dict[str, str]
    statuses: set[int] = field(default_factory=set)

    def operations(self) -> Iterator[Any]:
        for result in self.schema.get_all_operations():
            yield result.ok()

    def ask(self, case: Any) -> None:
        answer = case.call(headers=self.headers)
        self.statuses.add(answer.status_code)
        assert answer.status_code < 500 or answer.status_code == 501, answer.text
        case.validate_response(answer, checks=CHECKS, headers=self.headers)


def target_of(folder: Any, name: str, caller: str) -> Target:
    config = {"LICET_WORKER_THREADS": 0, "LICET_ACCOUNTS": name == "site"}
    app = APPS[name]({"LICET_INSTANCE_PATH": str(folder), **config})
    headers = {}
    if caller != "nobody":
        token = embedded_issuer(app).mint(caller, provider_scopes(app), ttl_seconds=3600)
        headers["Authorization"] = f"Bearer {token}"
    return Target(schemathesis.openapi.from_wsgi("/openapi.json", app), headers)


def known(case: Any, key: int) -> Any:
    """The case; of some the key is one that is there, and nothing else is wrong."""
    if key:
        names = case.path_parameters or {}
        case.path_parameters = {
            n: key if n in ("id", "key", "boat") else v for n, v in names.items()
        }
    if key > 3:
        case.query, case.headers = {}, {}
    return case


def fuzz(target: Target, operation: Any, mode: GenerationMode) -> None:
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        derandomize=not is_full(),
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(case=operation.as_strategy(generation_mode=mode), key=st.integers(0, 6))
    def ask(case, key):
        target.ask(known(case, key))

    with suppress(Unsatisfiable):  # an operation without any parameter has no wrong ones
        ask()


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("name", ["conference", only_full("site"), only_full("harbour")])
def test_the_app_does_what_its_document_says(tmp_path, name, caller):
    """Whatever is asked, right or wrong, by whomever."""
    target = target_of(tmp_path, name, caller)
    operations = [*target.operations()][CALLERS.index(caller) :: EACH]
    for operation in operations:
        for mode in [GenerationMode.POSITIVE, GenerationMode.NEGATIVE][:MODES]:
            fuzz(target, operation, mode)
    assert len(target.statuses) > 1


@pytest.mark.parametrize("lie", ["status", "schema", "auth"])
def test_a_lie_of_the_document_is_found(tmp_path, lie):
    """A status that it does not have, a body of another type, a token that nobody asks for."""
    target = target_of(tmp_path, "conference", "bob")
    paths = target.schema.raw_schema["paths"]
    operation = paths["/v1/events"]["get"]
    operation["parameters"] = []
    if lie == "status":
        operation["responses"]["299"] = operation["responses"].pop("200")
    elif lie == "schema":
        content = operation["responses"]["200"]["content"]["application/vnd.api+json"]
        content["schema"] = {"type": "array"}
    else:
        operation["security"] = [{"bearer": []}]
    with pytest.raises(BaseExceptionGroup):
        fuzz(target, target.schema["/v1/events"]["GET"], GenerationMode.POSITIVE)
