"""`can` and `allowed`: may the caller do this? For templates and views, answered by yes or no.

    {% if can("UPDATE", post) %}<a href="…">Edit</a>{% endif %}
    {% if can("CREATE", "posts") %}<a href="…">New</a>{% endif %}
    {% if allowed(is_moderator) %}<a href="/queue">Queue</a>{% endif %}

`can` asks the policy of the object's class; `allowed` asks requirements, or a policy that is named
first. The answer is the one that a guard would give at the same moment. Nothing is raised and
nothing is logged for a caller who may not; a name or a verb that does not exist is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Flask

from licet.authz.requirements._current import IN_TEMPLATES
from licet.settings.state import app_state

if TYPE_CHECKING:
    from licet.authz.policies.verbs import Verb

__all__ = ["allowed", "can", "install_allowed"]


def can(verb: Verb | str, asked: Any, *, identity: Any = None) -> bool:
    """Whether the caller may do `verb` with an object.

    Args:
        verb: a verb such as UPDATE, or its name.
        asked: an object of a class that the app has a policy for, a draft for CREATE. Or such a
            policy, or its name, where there is no object yet: then whether there could be an object
            with which the caller may do it. `decide` has the last word when there is one.
        identity: about whom, as the app's policies see them, instead of the current caller.

    Returns:
        False also for a caller whose token is not acceptable, or whose account may not be used.

    Raises:
        UsageError: the app has no policy for it, or the policy no such verb.
    """
    from licet.authz._allowed import answer_verb  # noqa: PLC0415 - policies, in apps that ask

    return answer_verb(verb, asked, identity)


def allowed(*asked: Any, identity: Any = None) -> bool:
    """Whether the caller may.

    Args:
        asked: either a policy of the app, or its name; a verb, or its name; and the object, a draft
            for CREATE. Or requirements, all of which must hold, as for `requires`.
        identity: about whom, instead of the current caller: for requirements whom the app's
            `Allows` loads if it has one, else who asks as the app's policies see them.

    Returns:
        False also for a caller whose token is not acceptable, or whose account may not be used.

    Raises:
        UsageError: the app has no such policy, the policy no such verb, or something is missing.
        InvalidCondition: the object is not of the policy's class.
        TypeError: what is asked is neither.
    """
    from licet.authz._allowed import answer  # noqa: PLC0415 - policies, in apps that ask

    return answer(asked, identity)


def install_allowed(app: Flask) -> None:
    """Give the app's templates `allowed` and `can`; names of the app's own go before."""
    app_state(app).put(IN_TEMPLATES, allowed)

    def names_in_templates() -> dict[str, Any]:
        names = {"allowed": allowed, "can": can}
        return {name: names[name] for name in names if name not in app.jinja_env.globals}

    app.template_context_processors[None].insert(0, names_in_templates)
