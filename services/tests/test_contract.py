"""The examples of the site's providers, replayed; the conference has a test of its own."""

from __future__ import annotations

import itertools

import pytest
from services.site import create_app

from licet.actions.interface.flask import provider_scopes
from licet.authn import embedded_issuer
from licet.testing import Contract, ContractBroken, Given

ACTION = "6b1f6e9a-2222-4333-8444-555566667777"
BODIES = {"count": {"to": 1, "seconds_each": 0}, "letter": {"to": "Ada", "text": "Dear Ada"}}


@pytest.fixture
def contract(tmp_path):
    config = {"LICET_INSTANCE_PATH": str(tmp_path), "LICET_WORKER_THREADS": 0}
    app = create_app(config)
    made, numbers = Contract(app), itertools.count(1)
    token = embedded_issuer(app).mint("alice", provider_scopes(app), ttl_seconds=3600)
    headers = {"Authorization": f"Bearer {token}"}
    client = app.test_client()

    @made.setup("*_action_introspect_get")
    def nothing(_case):
        return None

    @made.setup("count_action_*", "letter_action_*")
    def an_action(case):
        provider = case.operation_id.partition("_")[0]
        asked = {"request_id": f"r{next(numbers)}", "body": BODIES[provider]}
        sent = {**asked, "label": "A first run"}
        answer = client.post(f"/{provider}/run", json=sent, headers=headers)
        key = answer.json["action_id"]
        if "_release_" in case.operation_id:  # which only what has ended can be
            client.post(f"/{provider}/{key}/cancel", headers=headers)
        return Given(values={ACTION: key}, headers=headers)

    return made


def test_every_example_is_what_the_providers_do(contract):
    """Each by the set-up of its operation, with an action of its own."""
    cases = [case for case in contract.cases() if not case.path.startswith("/v1")]
    assert len(cases) >= 20
    broken = []
    with contract.served() as live:
        for case in cases:
            try:
                live.replay(case)
            except ContractBroken as error:
                broken.append(str(error))
    assert not broken, "\n".join(broken)
