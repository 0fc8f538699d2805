"""One action provider in Flask: what each operation does, from request to response.

`ActionProviderBlueprint` and `add_action_routes_to_blueprint` are two ways to make one; the routes
are the same. The order is always: who calls, may they, is the request sound, then the callback or
the store.

Source: spec, sections 1 to 3; seed documents 000 and 001.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from flask import Blueprint, Response, current_app, request
from werkzeug.urls import iri_to_uri

from licet.actions.documents import (
    AbstractActionRepository,
    ActionFailedDetails,
    ActionProviderDescription,
    ActionRequest,
    ActionStatus,
    ActionStatusValue,
    render,
    render_description,
)
from licet.actions.durable.declaration import DurableAction
from licet.actions.durable.runtime import Runtime, durable_runtime
from licet.actions.enumeration import parse_enumeration, parse_log_query
from licet.actions.interface.authorization import (
    authorize_action_access_or_404,
    authorize_action_management_or_404,
    authorize_management,
)
from licet.actions.interface.callbacks import Callbacks, Operation
from licet.actions.interface.config import ActionProviderConfig
from licet.actions.interface.described import serves
from licet.actions.interface.flask import waiting_room, with_standing
from licet.actions.interface.http import (
    answer_errors,
    json_response,
    preferred_wait_seconds,
    read_body,
    wait_for_change,
)
from licet.actions.interface.validation import (
    check_deadline,
    check_maximum_deadline,
    get_input_body_validator,
    parse_json,
    validate_input,
)
from licet.actions.store.actions import ActionStore
from licet.authn.auth_state import AuthState, StateBuilder
from licet.errors import (
    ActionConflict,
    ActionForbidden,
    ActionNotFound,
    ConfigurationError,
    InsufficientScope,
    UnstorableDocument,
)

__all__ = ["ActionProvider"]

log = logging.getLogger(__name__)
F = TypeVar("F", bound=Callable[..., Any])
CORS: Final = {"Access-Control-Allow-Origin": "*"}
PREFLIGHT: Final = CORS | {
    "Access-Control-Allow-Methods": "GET, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization",
    "Access-Control-Expose-Headers": "*",
}


class ActionProvider:
    """The operations of one provider.

    Args:
        description: what introspection tells.
        repository: where actions are kept; None leaves that to the callbacks.
        config: validation and client options.
        state_builder: called in a request for what makes the caller's `AuthState`.
    """

    def __init__(
        self,
        *,
        description: ActionProviderDescription,
        repository: AbstractActionRepository | None,
        config: ActionProviderConfig,
        state_builder: Callable[[], StateBuilder],
    ) -> None:
        check_maximum_deadline(description)
        self.description = description
        self.repository = repository
        self.callbacks = Callbacks()
        self.durable: DurableAction | None = None
        self.input_body_validator = get_input_body_validator(
            description, scrub_validation_errors=config.scrub_validation_errors
        )
        self._state_builder = state_builder

    def add_routes(self, blueprint: Blueprint) -> None:
        """Put every operation on a blueprint, in both spellings, and its errors in JSON."""
        add = blueprint.add_url_rule
        introspect = {"strict_slashes": False, "provide_automatic_options": False}
        add("/", "action_introspect", self.introspect, methods=["GET", "OPTIONS"], **introspect)
        add("/run", "action_run", self.run, methods=["POST"])
        add("/actions", "action_run", self.run, methods=["POST"])
        add("/actions", "action_enumerate", self.enumerate, methods=["GET"])
        for operation, view, method in (
            (Operation.STATUS, self.status, "GET"),
            (Operation.CANCEL, self.cancel, "POST"),
            (Operation.RELEASE, self.release, "POST"),
            (Operation.RESUME, self.resume, "POST"),
            (Operation.LOG, self.log, "GET"),
        ):
            endpoint = f"action_{operation}"
            add(f"/<string:action_id>/{operation}", endpoint, view, methods=[method])
            if operation is Operation.STATUS:
                add("/actions/<string:action_id>", endpoint, view, methods=["GET"])
            elif operation is Operation.RELEASE:
                add("/actions/<string:action_id>", endpoint, view, methods=["DELETE"])
            else:
                add(f"/actions/<string:action_id>/{operation}", endpoint, view, methods=[method])
        answer_errors(blueprint)

    @serves("introspect", admits="visible_to")
    def introspect(self) -> Response:
        """What this provider does: to everybody when it is public, else to those it names."""
        if request.method == "OPTIONS":
            return Response(status=204, headers=PREFLIGHT)
        if "public" not in self.description.visible_to:
            self._require_visible()
        return json_response(self._introspection, headers=CORS)

    def _require_visible(self) -> None:
        """Let those pass who may know that the provider exists; to others it is not there."""
        hidden = ActionNotFound("There is no such provider.")
        try:
            auth = self._caller()
        except InsufficientScope as error:
            raise hidden from error
        if not auth.check_authorization(
            self.description.visible_to, allow_all_authenticated_users=True
        ):
            raise hidden

    @serves("run", admits="runnable_by")
    def run(self) -> Response:
        """Start an action, or answer with the one that the same request started before."""
        auth = self._caller()
        self._require_runner(auth)
        asked = self._read_request()
        if self.durable is not None:
            return self._run_durable(self.durable, asked, auth)
        if isinstance(self.repository, ActionStore):
            return self._run_stored(self.repository, asked, auth)
        status, code = self._start(asked, auth)
        rendered = self.callbacks.rendered(Operation.RUN, status)
        if self.repository is not None:
            self.repository.store(status)
        return json_response(rendered, code)

    def _run_stored(self, store: ActionStore, asked: ActionRequest, auth: AuthState) -> Response:
        code = 200

        def start() -> ActionStatus:
            nonlocal code
            status, code = self._start(asked, auth)
            if status.creator_id != auth.effective_identity:
                self.callbacks.blame(Operation.RUN, "named somebody else as the creator")
            return status

        try:
            submission = store.submit_once(auth.effective_identity, asked, start)
        except UnstorableDocument as error:
            self.callbacks.refuse(Operation.RUN, error)
        return json_response(render(submission.status), code if submission.created else 200)

    def _run_durable(
        self, durable: DurableAction, asked: ActionRequest, auth: AuthState
    ) -> Response:
        store, creator_id = self._store(), auth.effective_identity
        found = None
        if asked.deadline is not None and (found := store.find(creator_id, asked)) is None:
            check_deadline(asked, self.description.maximum_deadline, _now)
        if found is not None:
            return self._answer(found)
        submission = _runtime().submit(durable.provider, asked, auth)
        return self._answer(submission.status, 202 if submission.created else 200)

    def _answer(self, status: ActionStatus, code: int = 200) -> Response:
        """The status, once it has changed if the request prefers to wait for that."""
        seconds = preferred_wait_seconds(request.headers.get("Prefer"))
        if not seconds:
            return json_response(render(status), code)
        with waiting_room().seat() as has_seat:
            if not has_seat:
                return json_response(render(status), code)
            read = partial(self._store().get, status.action_id)
            found = wait_for_change(read, status, seconds)
        if found is None:
            raise ActionNotFound(f"No Action with id {status.action_id}")
        return json_response(render(found), code, {"Preference-Applied": f"wait={seconds}"})

    def _store(self) -> ActionStore:
        if not isinstance(self.repository, ActionStore):
            raise ConfigurationError("Durable actions are kept in licet's own store.")
        return self.repository

    def _start(self, asked: ActionRequest, auth: AuthState) -> tuple[ActionStatus, int]:
        """Call back for a new action; a repeated request may come after its deadline."""
        check_deadline(asked, self.description.maximum_deadline, _now)
        return self.callbacks.status(Operation.RUN, 202, asked, auth)

    @serves("enumerate", admits="runnable_by")
    def enumerate(self) -> Response:
        """The caller's actions."""
        auth = self._caller()
        self._require_runner(auth)
        query = parse_enumeration(request)
        if Operation.ENUMERATE in self.callbacks or not isinstance(self.repository, ActionStore):
            listed, marker = self.callbacks.listing(auth, query.as_params())
        else:
            asks_for_groups = query.roles != {"creator_id"}
            principals = auth.principals if asks_for_groups else auth.identities
            listed, marker = self.repository.enumerate(principals, query)
        response = json_response(self._rendered_list(listed))
        if marker is not None:
            following = urlencode({**request.args.to_dict(), "marker": marker})
            here = iri_to_uri(request.base_url)
            response.headers["Link"] = f'<{here}?{following}>; rel="next"'
        return response

    def _rendered_list(self, listed: list[ActionStatus]) -> bytes:
        if Operation.ENUMERATE in self.callbacks:
            return self.callbacks.rendered(Operation.ENUMERATE, listed)
        return render(listed)

    @serves("status", admits="the creator and monitor_by")
    def status(self, action_id: str) -> Response:
        """The action's present state."""
        auth = self._caller()
        if self.repository is None:
            return self._from_callback(Operation.STATUS, action_id, auth)
        action = self._load(self.repository, action_id)
        authorize_action_access_or_404(action, auth)
        if Operation.STATUS not in self.callbacks:
            if isinstance(self.repository, ActionStore):
                return self._answer(action)
            return json_response(render(action))
        return self._from_callback_with(self.repository, Operation.STATUS, action, auth)

    @serves("cancel", admits="the creator and manage_by")
    def cancel(self, action_id: str) -> Response:
        """Ask the action to end."""
        auth = self._caller()
        if self.repository is None:
            return self._from_callback(Operation.CANCEL, action_id, auth)
        action = self._load_to_manage(self.repository, action_id, auth)
        if Operation.CANCEL in self.callbacks:
            return self._from_callback_with(self.repository, Operation.CANCEL, action, auth)
        if self.durable is not None:
            _runtime().cancel(self.durable.provider, action_id, auth.effective_identity)
            return json_response(render(self._load(self.repository, action_id)))
        if isinstance(self.repository, ActionStore):
            return json_response(render(self.repository.cancel(action_id, auth.effective_identity)))
        if not action.is_complete():
            _mark_cancelled(action, auth.effective_identity)
            self.repository.store(action)
        return json_response(render(action))

    @serves("release", admits="the creator and manage_by")
    def release(self, action_id: str) -> Response:
        """Forget a completed action; its last state is the answer."""
        auth = self._caller()
        if self.repository is None:
            return self._from_callback(Operation.RELEASE, action_id, auth)
        action = self._load_to_manage(self.repository, action_id, auth)
        has_callback = Operation.RELEASE in self.callbacks
        if not action.is_complete() and (
            not has_callback or isinstance(self.repository, ActionStore)
        ):
            raise ActionConflict(
                f"Action {action_id} is {action.status}: only a completed action can be released."
            )
        if not has_callback:
            self.repository.remove(action)
            return json_response(render(action))
        status, code = self.callbacks.status(Operation.RELEASE, 200, action, auth)
        rendered = self.callbacks.rendered(Operation.RELEASE, status)
        if self.repository.get(action_id) is not None:  # some callbacks remove it themselves
            self.repository.remove(status)
        return json_response(rendered, code)

    @serves("resume", admits="the creator and manage_by")
    def resume(self, action_id: str) -> Response:
        """Go on with an INACTIVE action."""
        auth = self._caller()
        if self.repository is None:
            return self._from_callback(Operation.RESUME, action_id, auth)
        action = self._load_to_manage(self.repository, action_id, auth)
        if self.durable is not None:
            _runtime().resume(self.durable.provider, action_id)
            return json_response(render(self._load(self.repository, action_id)))
        return self._from_callback_with(self.repository, Operation.RESUME, action, auth)

    @serves("log", admits="the creator and monitor_by")
    def log(self, action_id: str) -> Response:
        """What the action wrote while it ran."""
        auth = self._caller()
        if self.repository is not None:
            action = self._load(self.repository, action_id)
            authorize_action_access_or_404(action, auth)
            if Operation.LOG not in self.callbacks and isinstance(self.repository, ActionStore):
                page = self.repository.read_log(action_id, parse_log_query(request))
                return json_response(render(page))
        page, code = self.callbacks.log_page(action_id, auth)
        return json_response(self.callbacks.rendered(Operation.LOG, page), code)

    def _caller(self) -> AuthState:
        return with_standing(self._state_builder().build_from_request())

    def _require_runner(self, auth: AuthState) -> None:
        allowed = self.description.runnable_by
        if not auth.check_authorization(allowed, allow_all_authenticated_users=True):
            log.info("%s is not in runnable_by", auth.effective_identity)
            raise ActionForbidden("You are not permitted to run actions of this provider.")

    def _read_request(self) -> ActionRequest:
        return validate_input(parse_json(read_body()), self.input_body_validator)

    def _from_callback(self, operation: Operation, action_id: str, auth: AuthState) -> Response:
        status, code = self.callbacks.status(operation, 200, action_id, auth)
        return json_response(self.callbacks.rendered(operation, status), code)

    def _from_callback_with(
        self,
        repository: AbstractActionRepository,
        operation: Operation,
        action: ActionStatus,
        auth: AuthState,
    ) -> Response:
        before = render(action)
        status, code = self.callbacks.status(operation, 200, action, auth)
        rendered = self.callbacks.rendered(operation, status)
        if rendered != before:
            repository.store(status)
        return json_response(rendered, code)

    def _load(self, repository: AbstractActionRepository, action_id: str) -> ActionStatus:
        action = repository.get(action_id)
        if action is None:
            raise ActionNotFound(f"No Action with id {action_id}")
        return action

    def _load_to_manage(
        self, repository: AbstractActionRepository, action_id: str, auth: AuthState
    ) -> ActionStatus:
        action = self._load(repository, action_id)
        if isinstance(repository, ActionStore):
            authorize_management(action, auth)
        else:
            authorize_action_management_or_404(action, auth)
        return action

    @cached_property
    def _introspection(self) -> bytes:
        return render_description(self.description)


def _mark_cancelled(action: ActionStatus, by: str) -> None:
    action.status = ActionStatusValue.FAILED
    action.display_status = "Cancelled"
    action.completion_time = datetime.now(UTC)
    action.details = ActionFailedDetails(code="Cancelled", description=f"Cancelled by {by}")


def _runtime() -> Runtime:
    return durable_runtime(current_app)


def _now() -> datetime:
    return datetime.now(UTC)
