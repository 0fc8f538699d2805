"""Proof of an access matrix: a real request for every caller, verb and object.

    verify_matrix(app, [
        MatrixCases(
            policy=speakers,
            callers={"nobody": {}, "organizer": {"Authorization": f"Bearer {token}"}},
            objects={"own, draft event": 21, "other's, published event": 4},
            requests={
                LIST: list_request("/v1/speakers?all=1"),
                VIEW: request_to("GET", "/v1/speakers/{key}"),
                UPDATE: request_to("PATCH", "/v1/speakers/{key}", {"name": "New"}),
            },
            reset=restore_database,
        )
    ])

What the policy decides about the object in the database is what the response must show: done; 401
or 403 where the caller may see the object; else a 404 that is, byte for byte, the one of an object
that does not exist. For nobody, a 401 before the object is looked for will do as well, and a
redirect to the sign-in page counts as one. Every endpoint, grant and denial of the matrix must have
had its case; that of a line of `forbid` is a caller whom some grant would have allowed it.
`licet.testing.signed_in` and `form_to` are for apps with cookies and forms.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from licet.authn.identity import ANONYMOUS
from licet.authz.callers.nobody import is_nobody, refusal_of_nobody
from licet.authz.declared.marks import AccessKind, access_of
from licet.authz.flask import current_caller, current_session, policies_of
from licet.authz.policies._check import Check
from licet.authz.policies._models.sessions import using_session
from licet.authz.policies.policy import Denial, Grant, Policy
from licet.authz.policies.verbs import CREATE, LIST, VIEW, Verb
from licet.errors import AccessDenied
from licet.errors.names import knows_options_of
from licet.testing.browsing import (
    SignIn,
    csrf_headers,
    forget_messages,
    leads_to,
    sign_in_path_of,
    what_is_shown,
)

__all__ = ["MatrixCases", "MatrixReport", "list_request", "request_to", "verify_matrix"]

T = TypeVar("T")
L = TypeVar("L", Grant, Denial)
Send = Callable[[FlaskClient, Mapping[str, str], Any], Any]
ABSENT_KEY = 2_000_000_011
_NOWHERE = "/licet-verify-matrix"  # whom a cookie stands for is known within a request


def _nothing() -> None:
    """What resets nothing."""


@knows_options_of
@dataclass(frozen=True, kw_only=True)
class MatrixCases:
    """The callers, objects and requests with which one policy is proved.

    Args:
        policy: a policy of the app.
        callers: by what they are called, the headers that they send, or a function that signs them
            in with a test client, such as `signed_in`: it is called once, and after each `reset`.
        objects: by what they are called, their primary keys.
        requests: for each verb, what sends it; of LIST, what tells the keys that were listed.
        drafts: for CREATE, by what they are called, functions that make the proposed object, within
            a request of the caller's, and the body that proposes it.
        expected: a table of one's own, (caller, object, verb) to allowed, to hold the policy to.
        only: the names of the roles whose grants must have a case, when not all.
        reset: brings the data back after a request that may have changed it.
        sign_in_path: where callers who are not signed in are sent; Flask-Login's ``login_view``,
            when not given.
    """

    policy: Policy
    callers: Mapping[str, Mapping[str, str] | SignIn]
    objects: Mapping[str, Any]
    requests: Mapping[Verb, Send]
    drafts: Mapping[str, Callable[[], tuple[Any, dict[str, Any]]]] = field(default_factory=dict)
    expected: Callable[[str, str, Verb], bool] | None = None
    only: Collection[str] | None = None
    reset: Callable[[], None] = _nothing
    sign_in_path: str | None = None


@dataclass
class MatrixReport:
    """What was asked, by outcome; `failures` names every wrong and every missing case."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """How many cases were tried."""
        return self.outcomes.total()


def request_to(method: str, path: str, json: Any = None) -> Send:
    """Sends a request; ``{key}`` in the path is the object's key, and a draft's body is its own."""

    def send(client: FlaskClient, headers: Mapping[str, str], key: Any) -> TestResponse:
        sent = {**headers, **csrf_headers(client, method, headers)}
        if isinstance(key, dict):
            return client.open(path, method=method, headers=sent, json=key)
        return client.open(path.format(key=key), method=method, headers=sent, json=json)

    return send


def list_request(path: str, keys_of: Callable[[TestResponse], set[Any]] | None = None) -> Send:
    """Sends a GET for a list and tells the keys in it, by default each item's ``id``."""

    def send(client: FlaskClient, headers: Mapping[str, str], _key: Any) -> set[Any]:
        response = client.get(path, headers=dict(headers))
        if keys_of is not None:
            return keys_of(response)
        return (
            {item["id"] for item in response.get_json()} if response.status_code == 200 else set()
        )

    return send


def verify_matrix(app: Flask, cases: Sequence[MatrixCases]) -> MatrixReport:
    """Try every case and hold the responses to the policies.

    Raises:
        AssertionError: with every wrong response, and everything that had no case.
    """
    report = MatrixReport()
    proved = {case.policy for case in cases}
    for policy in policies_of(app):
        if policy not in proved:
            report.failures.append(f"{policy.name}: no cases")
    for case in cases:
        _Verifier(app, case, report).run()
    if report.failures:
        raise AssertionError(
            f"The access matrix does not hold ({len(report.failures)} of {report.requests} "
            "requests or rules):\n" + "\n".join(report.failures)
        )
    return report


def _apart(ask: Callable[..., T], *arguments: Any) -> T:
    """What `ask` gives outside of every app context that the test has pushed.

    Requests within one would share `flask.g`, where Flask-Login keeps who calls.
    """
    return Context().run(ask, *arguments)


@dataclass(frozen=True)
class _Want:
    """What a response must be."""

    allowed: bool
    visible: bool
    anonymous: bool

    @property
    def status(self) -> int:
        if not self.visible:
            return 404
        return 401 if self.anonymous else 403


class _Verifier:
    def __init__(self, app: Flask, case: MatrixCases, report: MatrixReport) -> None:
        self.app = app
        self.case = case
        self.policy = case.policy
        self.report = report
        self._grants = self._checked(self.policy.grants)
        self._denials = self._checked(self.policy.denials)
        self._seen_lines: set[tuple[int, str]] = set()
        self._seen_denials: set[str] = set()
        self._signed_in: dict[str, FlaskClient] = {}
        self._sign_in_path = case.sign_in_path or sign_in_path_of(app)

    def _checked(self, lines: Sequence[L]) -> list[tuple[L, Check]]:
        return [(line, self.policy.check_of(line)) for line in lines]

    def run(self) -> None:
        for caller, verb, name, key in self._combinations():
            want = _apart(self._wanted, caller, verb, name, key)
            told = f"{self.policy.name}: {caller} {verb} {name}"
            if self.case.expected is not None and want.allowed != self.case.expected(
                caller, name, verb
            ):
                self._fail(
                    told, f"the policy says {'yes' if want.allowed else 'no'}, the table not"
                )
            sent = key()[1] if verb == CREATE else key
            if _apart(self._try, told, caller, verb, sent, want):
                self.case.reset()
                if self.case.reset is not _nothing:
                    self._signed_in.clear()  # sessions may be data
        self._require_all_seen()

    def _combinations(self) -> Iterator[tuple[str, Verb, str, Any]]:
        for caller in self.case.callers:
            for verb in self.case.requests:
                objects = self.case.drafts if verb == CREATE else self.case.objects
                for name, key in objects.items():
                    yield caller, verb, name, key

    def _client(self, caller: str) -> tuple[FlaskClient, Mapping[str, str]]:
        """What the caller's next request is sent with."""
        given = self.case.callers[caller]
        if not callable(given):
            return self.app.test_client(), given
        if caller not in self._signed_in:
            self._signed_in[caller] = self.app.test_client()
            given(self._signed_in[caller])
        forget_messages(self._signed_in[caller])
        return self._signed_in[caller], {}

    @contextmanager
    def _request_of(self, caller: str) -> Iterator[None]:
        """The context of a request of the caller's."""
        given = self.case.callers[caller]
        if not callable(given):
            with self.app.test_request_context(headers=dict(given)):
                yield
            return
        client, _ = self._client(caller)
        with client:
            client.get(_NOWHERE)
            if is_nobody(current_caller()):
                raise AssertionError(
                    f"{self.policy.name}: {caller} is nobody after signing in: is what the "
                    "caller's function sends what the app's sign-in takes?"
                )
            yield

    def _wanted(self, caller: str, verb: Verb, name: str, key: Any) -> _Want:
        """What the policy decides about the object that lies in the database."""
        with self._request_of(caller):
            try:
                identity, session = current_caller(), current_session()
            except AccessDenied:  # whoever has no account, or none that may be used
                return _Want(allowed=False, visible=True, anonymous=False)
            owner = key()[0] if verb == CREATE else session.get(self.policy.model, key)
            if owner is None:
                raise AssertionError(f"{self.policy.name}: there is no {name} with the key {key!r}")
            decision = self.policy.decide(identity, verb, owner, session=session)
            with using_session(session):
                self._note(verb.name, owner, identity, is_allowed=decision.allowed)
            signs_in = is_nobody(identity) and refusal_of_nobody(identity).code == 401
            return _Want(decision.allowed, decision.visible, signs_in)

    def _note(self, verb: str, owner: Any, identity: Any, *, is_allowed: bool) -> None:
        """Note which lines of the policy had their case: a denial, where something was allowed."""

        def holding(lines: Sequence[tuple[L, Check]]) -> list[L]:
            covering = (pair for pair in lines if pair[0].verbs.covers(verb))
            return [line for line, check in covering if check.holds(owner, identity)]

        if not is_allowed:
            self._seen_denials.add(verb)
        granting = holding(self._grants)
        lines = granting if is_allowed else holding(self._denials) if granting else []
        self._seen_lines.update((id(line), verb) for line in lines)

    def _try(self, told: str, caller: str, verb: Verb, key: Any, want: _Want) -> bool:
        """Send the request; whether it may have changed the data."""
        send = self.case.requests[verb]
        client, headers = self._client(caller)
        if verb == LIST:
            self._check_list(told, key in send(client, headers, key), want)
            return False
        answer = send(client, headers, key)
        self._check_status(told, answer, want, hides_parents=verb == CREATE)
        if not want.visible:
            shown = what_is_shown(client, answer, (str(key), str(key)))
            client, headers = self._client(caller)
            absent = send(client, headers, ABSENT_KEY)
            if shown != what_is_shown(client, absent, (str(ABSENT_KEY), str(key))):
                self._fail(told, "is answered otherwise than an object that does not exist")
        return answer.status_code < 400 and verb != VIEW

    def _check_list(self, told: str, is_listed: bool, want: _Want) -> None:  # noqa: FBT001
        self.report.outcomes["listed" if is_listed else "not listed"] += 1
        if is_listed is not want.allowed:
            self._fail(told, f"is {'' if is_listed else 'not '}in the list")

    def _check_status(
        self, told: str, answer: TestResponse, want: _Want, *, hides_parents: bool
    ) -> None:
        found = str(answer.status_code)
        self.report.outcomes[found] += 1
        asks_to_sign_in = leads_to(self._sign_in_path, answer)
        status = 401 if asks_to_sign_in else answer.status_code
        if 300 <= answer.status_code < 400:
            found += f", to {answer.location},"
        if want.allowed and status >= 400:
            self._fail(told, f"is answered {found} though it is allowed")
        if want.allowed or (hides_parents and status == 404):  # the parent may be hidden
            return
        if want.anonymous and status == 401:  # before the object is looked for
            return
        if status != want.status:
            self._fail(told, f"is answered {found} instead of {want.status}")

    def _require_all_seen(self) -> None:
        sent = {verb.name for verb in self.case.requests}
        only = self.case.only
        for line in self.policy.lines:
            if only is not None and line.role.name not in only:
                continue
            kind = "grant" if isinstance(line, Grant) else "denial"
            for name in (n for n in self.policy.verbs if line.verbs.covers(n) and n in sent):
                if (id(line), name) not in self._seen_lines and not self._is_idle(line, name):
                    self._fail(f"{self.policy.name}: {name} by the {kind} `{line}`", "had no case")
        for name in sorted(sent - self._seen_denials):
            if self._is_open(name):
                continue
            self._fail(f"{self.policy.name}: {name}", "was never denied in any case")
        for name in sorted(self._served_verbs() - sent):
            self._fail(f"{self.policy.name}: {name}", "is served by the app and had no request")

    def _is_open(self, verb: str) -> bool:
        """Whether anybody may do it with every object, so that nobody is ever denied it."""
        with self.policy.at(None):
            return self.policy.check(Verb(verb)).criterion(ANONYMOUS) is True

    def _is_idle(self, line: Grant | Denial, verb: str) -> bool:
        """Whether the line can never decide: a grant of what all of its role are forbidden."""
        covering = (denial for denial in self.policy.denials if denial.verbs.covers(verb))
        return isinstance(line, Grant) and any(one.covers_all_of(line.role) for one in covering)

    def _served_verbs(self) -> set[str]:
        """The verbs that some endpoint of the app declares for the policy."""
        marks = (mark for view in self.app.view_functions.values() for mark in access_of(view))
        return {
            mark.text.rpartition(" ")[2]
            for mark in marks
            if mark.kind is AccessKind.POLICY and mark.resource == self.policy.name
        }

    def _fail(self, told: str, what: str) -> None:
        self.report.failures.append(f"{told} {what}")
