"""Contract tests: every example of an app's OpenAPI document, replayed against the live app.

    contract = Contract(app)

    @contract.setup("get_boat", "update_boat")
    def a_boat(case):
        return {"7001": add_boat(name="Some name")}

    with contract.served() as live:
        for case in contract.cases():
            live.replay(case)

An example's values stand for those that its set-up makes: ``7001`` is the id of the boat wherever
the example has it. What the example says is what the server must answer, value by value, and the
answer must fit the schema of the document. An example without a set-up fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final, TypeVar

from flask import Flask
from jsonschema_rs import Draft202012Validator

from licet.errors import ConfigurationError
from licet.errors.names import suggestion
from licet.rest.openapi import About, document_of, openapi_of
from licet.rest.openapi.document import ALSO
from licet.rest.openapi.operations import EXAMPLES
from licet.rest.openapi.sharing import resolved
from licet.testing._comparing import difference, replaced
from licet.testing._requests import Request, RequestFault, faults_of, request_of
from licet.testing.serving import Received, client_of_tests, send, served
from licet.wire.client import CarefulClient
from licet.wire.described import NOTHING

__all__ = ["Case", "Contract", "ContractBroken", "Given", "Live"]

F = TypeVar("F", bound=Callable[..., Any])
_MOST_SHOWN: Final = 500


class ContractBroken(AssertionError):
    """The server does not do what an example says; the text has the operation and the place."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a set-up made.

    Args:
        values: what stands in the example, and what was made for it, as texts.
        headers: are sent with the request, such as a token.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One example of one operation, as the document has it."""

    operation_id: str
    method: str
    path: str
    operation: Mapping[str, Any] = field(repr=False)
    example: Mapping[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        """The example's."""
        return str(self.example["name"])

    @property
    def body(self) -> Any:
        """The document that is sent; None where there is none."""
        return self.example.get("body")

    @property
    def answer(self) -> Any:
        """The document that is answered; None where the example has none."""
        return self.example.get("answer")

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes of the resource in the answer, by their names in Python."""
        data = self.answer.get("data") if isinstance(self.answer, dict) else None
        first = data[0] if isinstance(data, list) and data else data
        found = first.get("attributes", {}) if isinstance(first, dict) else {}
        return {name.replace("-", "_"): value for name, value in found.items()}

    def __str__(self) -> str:
        return f"{self.operation_id}/{self.name}"


class Contract:
    """The examples of an app's document, and their set-ups.

    Args:
        app: the app.
        headers: are sent with every request that its set-up gives none of this name.
        reset: brings the data back, before each set-up.

    Set-ups are called within an app context, and commit what they make.
    """

    def __init__(
        self,
        app: Flask,
        *,
        headers: Mapping[str, str] | None = None,
        reset: Callable[[], object] | None = None,
    ) -> None:
        self.app, self.headers, self.reset = app, dict(headers or {}), reset
        made = openapi_of(app)
        about = About(title=app.name)
        self.document = document_of(app, about) if made is None else made.document()
        self._setups: dict[str, Callable[[Case], Any]] = {}

    def operations(self) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """Path, method and operation object of each."""
        for path, item in self.document["paths"].items():
            for method, one in item.items():
                if isinstance(one, dict):
                    yield path, method.upper(), one
                    yield from ((path, method.upper(), other) for other in one.get(ALSO, ()))

    def cases(self, pattern: str = "*") -> list[Case]:
        """Every example of the operations whose names match the pattern.

        Raises:
            ConfigurationError: the app has no such operation.
        """
        self._require_operation(pattern)
        return [
            Case(
                operation_id=one["operationId"],
                method=method,
                path=path,
                operation=one,
                example=example,
            )
            for path, method, one in self.operations()
            if fnmatchcase(one["operationId"], pattern)
            for example in one.get(EXAMPLES, ())
        ]

    def untested(self) -> list[str]:
        """The names of the operations without an example, which no case tests."""
        return sorted(
            one["operationId"]
            for _, _, one in self.operations()
            if not one.get(EXAMPLES) and "x-licet-alias-of" not in one
        )

    def setup(self, *operations: str) -> Callable[[F], F]:
        """Have ``function(case)`` make what the examples of these operations need.

        It gives a `Given`, a dict of values, or None. A name may be a pattern, such as ``get_*``;
        the one without a pattern counts first, then the last that was declared.

        Raises:
            ConfigurationError: the app has no such operation.
        """
        for name in operations:
            self._require_operation(name)

        def register(function: F) -> F:
            self._setups.update(dict.fromkeys(operations, function))
            return function

        return register

    def _require_operation(self, name: str) -> None:
        known = {one["operationId"] for _, _, one in self.operations()}
        if not any(fnmatchcase(one, name) for one in known):
            raise ConfigurationError(
                f"The app has no operation {name!r}: {suggestion(name, known)}"
            )

    def setup_of(self, case: Case) -> Callable[[Case], Any]:
        """What makes the data of a case.

        Raises:
            ContractBroken: nothing does.
        """
        if (found := self._setups.get(case.operation_id)) is not None:
            return found
        for name, function in reversed(self._setups.items()):
            if fnmatchcase(case.operation_id, name):
                return function
        raise ContractBroken(
            f"{_told(case)}: the example has no set-up: "
            f'write one with @contract.setup("{case.operation_id}").'
        )

    @contextmanager
    def served(self) -> Iterator[Live]:
        """The app, served until the end of the block."""
        with served(self.app) as url, client_of_tests() as client:
            yield Live(self, url, client)


class Live:
    """A served app, against which cases are replayed.

    Args:
        contract: the cases' own.
        url: where the app is.
        client: sends the requests.
    """

    def __init__(self, contract: Contract, url: str, client: CarefulClient) -> None:
        self.contract, self.url, self._client = contract, url, client

    def replay(self, case: Case) -> Received:
        """Set up what the example needs, send its request, and hold the answer to it.

        Raises:
            ContractBroken: there is no set-up, or the answer is another.
        """
        setup = self.contract.setup_of(case)
        with self.contract.app.app_context():
            if self.contract.reset is not None:
                self.contract.reset()
            given = _given(setup(case))
        values = {name: str(value) for name, value in given.values.items()}
        request = self._request(case, given, values)
        url = self.url + request.path
        found = send(self._client, case.method, url, request.headers, request.body)
        self._check(case, found, values)
        return found

    def _request(self, case: Case, given: Given, values: Mapping[str, str]) -> Request:
        sent = (self.contract.headers, given.headers)
        try:
            request = request_of(case.path, case.operation, case.example, values, *sent)
        except RequestFault as fault:
            raise ContractBroken(f"{_told(case)}: {fault}") from None
        if case.example["status"] < 400:  # a refusal's may be wrong
            self._check_request(case, request)
        return request

    def _check_request(self, case: Case, request: Request) -> None:
        """Hold the request of an example to what the document takes."""
        document = self.contract.document
        parameters = [resolved(document, one) for one in case.operation.get("parameters", ())]
        fault = next(faults_of(parameters, case.operation, case.example, request), None)
        self._require(case, fault is None, fault or "")
        if request.document is not NOTHING:
            contents = case.operation["requestBody"]["content"]
            content = contents[request.headers["Content-Type"].partition(";")[0].strip().lower()]
            self._check_schema(case, content["schema"], request.document, "the body")

    def _check(self, case: Case, found: Received, values: Mapping[str, str]) -> None:
        self._check_status(case, found)
        example = replaced(case.example.get("answer", NOTHING), values)
        responses = case.operation["responses"]
        told_answer = responses.get(str(found.status), responses.get("default", {}))
        answer = resolved(self.contract.document, told_answer)
        contents = answer.get("content", {})
        if not contents:
            self._require(case, not found.body, "the answer has a body, and the document none")
            told = "the example has an answer, and the document none"
            self._require(case, example is NOTHING, told)
            return
        content = contents.get(found.media_type, contents.get("*/*"))
        told = f"the answer is {found.media_type}, and not {' or '.join(contents)}"
        self._require(case, content is not None, told)
        if case.method == "HEAD":
            return
        document = self._document(case, found, content)
        if example is not NOTHING:
            differs = difference(example, document, case.example.get("varies", ()))
            self._require(case, differs is None, f"at {differs}")

    def _document(self, case: Case, found: Received, content: Mapping[str, Any]) -> Any:
        """What the answer says, which fits its schema; its text, where that is no JSON."""
        if not found.media_type.endswith("json"):
            return found.body.decode(errors="replace")
        try:
            document = found.document()
        except ValueError as error:
            told = f"{_told(case)}: the answer is no {found.media_type}: {error}"
            raise ContractBroken(told) from None
        self._check_schema(case, content["schema"], document, "the answer")
        return document

    def _check_status(self, case: Case, found: Received) -> None:
        wanted, responses = case.example["status"], case.operation["responses"]
        if found.status != wanted:
            said = found.body.decode(errors="replace")[:_MOST_SHOWN]
            told = f"the example has the status {wanted}, and the answer {found.status}: {said}"
            raise ContractBroken(f"{_told(case)}: {told}")
        is_there = str(wanted) in responses or "default" in responses
        self._require(case, is_there, f"the document has no answer {wanted}")

    def _check_schema(
        self, case: Case, schema: Mapping[str, Any], document: Any, what: str
    ) -> None:
        whole = {**schema, "components": self.contract.document["components"]}
        fault = next(Draft202012Validator(whole).iter_errors(document), None)
        if fault is not None:
            place = "".join(f"/{one}" for one in fault.instance_path) or f"the whole of {what}"
            raise ContractBroken(
                f"{_told(case)}: at {place}: {what} does not fit its schema: {fault.message}"
            )

    def _require(self, case: Case, holds: object, told: str) -> None:
        if not holds:
            raise ContractBroken(f"{_told(case)}: {told}")


def _told(case: Case) -> str:
    return f"{case.operation_id} ({case.method} {case.path}), example {case.name!r}"


def _given(made: Any) -> Given:
    if isinstance(made, Given):
        return made
    if made is None:
        return Given()
    if not isinstance(made, Mapping):
        raise ConfigurationError(f"A set-up returns a Given, a dict or None, and not {made!r}.")
    return Given(values=made)
