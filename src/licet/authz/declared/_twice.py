"""Rules that an app and licet both have: Flask answers by the first, and says so to nobody."""

from __future__ import annotations

import itertools
import logging

from flask import Flask
from werkzeug.routing import Rule

__all__ = ["tell_rules_twice"]

log = logging.getLogger(__name__)
_AUTOMATIC = frozenset({"HEAD", "OPTIONS"})


def tell_rules_twice(app: Flask) -> None:
    """Log each rule of licet's that the app has, too, and which of the two answers."""
    places: dict[object, list[Rule]] = {}
    for rule in app.url_map.iter_rules():
        places.setdefault((rule.rule, rule.host, rule.subdomain), []).append(rule)
    for rules in places.values():
        for first, other in itertools.combinations(rules, 2):
            methods = _methods(first) & _methods(other)
            if methods and _is_ours(first) != _is_ours(other):
                log.warning(
                    "%s %s is a rule of %s, which was added first and answers, and of %s, which "
                    "nobody reaches. Give the app's another path, or switch off the setting that "
                    "adds licet's.",
                    ", ".join(sorted(methods)),
                    first.rule,
                    first.endpoint,
                    other.endpoint,
                )


def _methods(rule: Rule) -> frozenset[str]:
    return frozenset(rule.methods or ()) - _AUTOMATIC


def _is_ours(rule: Rule) -> bool:
    return str(rule.endpoint).startswith("licet_")
