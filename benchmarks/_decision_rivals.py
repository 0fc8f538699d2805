"""The rivals of `decision.py`, and the same decision by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from _conference import Caller, EventState, SessionState, Speaker

SHOWN = (SessionState.ACCEPTED, SessionState.CONFIRMED)


Decide = Callable[[Caller, Speaker], object]


def by_hand(me: Caller, speaker: Speaker) -> bool:
    return owns(me, speaker) and is_accepted(me, speaker) and is_published(me, speaker)


def owns(me: Caller, speaker: Speaker) -> bool:
    return any(session.creator_id == me.account_id for session in speaker.sessions)


def is_accepted(_me: Caller, speaker: Speaker) -> bool:
    return any(session.state in SHOWN for session in speaker.sessions)


def is_published(_me: Caller, speaker: Speaker) -> bool:
    return speaker.event is not None and speaker.event.state == EventState.PUBLISHED


def by_hand_loops(me: Caller, speaker: Speaker) -> bool:
    """As fast as it gets without leaving SQLAlchemy's attributes."""
    sessions = speaker.sessions
    account_id = me.account_id
    for session in sessions:
        if session.creator_id == account_id:
            break
    else:
        return False
    for session in sessions:
        if session.state in SHOWN:
            break
    else:
        return False
    event = speaker.event
    return event is not None and event.state == EventState.PUBLISHED


def all_of_them() -> dict[str, Decide]:
    return {
        "django-rules": by_django_rules(),
        "pycasbin": by_casbin(),
        "cedarpy": by_cedar(),
    }


def by_django_rules() -> Decide:
    import rules

    joined = rules.predicate(owns) & rules.predicate(is_accepted) & rules.predicate(is_published)
    registry = rules.RuleSet()
    registry.add_rule("update", joined)
    return lambda me, speaker: registry.test_rule("update", me, speaker)


def by_casbin() -> Decide:
    enforcer = casbin_enforcer("owns(r.sub, r.obj) && accepted(r.obj) && published(r.obj)")
    enforcer.add_policy("everyone", "speaker", "update")
    enforcer.add_function("owns", owns)
    enforcer.add_function("accepted", lambda speaker: is_accepted(None, speaker))
    enforcer.add_function("published", lambda speaker: is_published(None, speaker))
    return lambda me, speaker: enforcer.enforce(me, speaker, "update")


def casbin_enforcer(matcher: str, kind: str = "Enforcer") -> Any:
    import casbin
    from casbin.model import FastModel

    order = [2, 1]  # of the request: the verb, then the object
    is_fast = kind == "FastEnforcer"
    model = FastModel(order) if is_fast else casbin.Model()
    model.add_def("r", "r", "sub, obj, act")
    model.add_def("p", "p", "sub, obj, act")
    model.add_def("e", "e", "some(where (p.eft == allow))")
    model.add_def("m", "m", f"{matcher} && r.act == p.act")
    return casbin.FastEnforcer(model, cache_key_order=order) if is_fast else casbin.Enforcer(model)


CEDAR = """
permit(principal, action == Action::"update", resource) when {
  resource.creators.contains(principal) &&
  resource.session_states.containsAny(["accepted", "confirmed"]) &&
  resource.event_state == "published"
};
"""


def by_cedar() -> Decide:
    import cedarpy

    policies = cedarpy.PolicySet.from_str(CEDAR)

    def decide(me: Caller, speaker: Speaker) -> bool:
        uid = {"type": "Speaker", "id": str(speaker.id)}
        attributes = {
            "creators": [
                {"__entity": {"type": "Account", "id": str(session.creator_id)}}
                for session in speaker.sessions
            ],
            "session_states": [session.state for session in speaker.sessions],
            "event_state": speaker.event.state,
        }
        entities = json.dumps([{"uid": uid, "attrs": attributes, "parents": []}])
        request = {
            "principal": f'Account::"{me.account_id}"',
            "action": 'Action::"update"',
            "resource": f'Speaker::"{speaker.id}"',
        }
        return cedarpy.is_authorized(request, policies, entities).allowed

    return decide
