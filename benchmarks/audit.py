"""Time to audit an app of a thousand routes, as at each start.

    .venv/bin/python benchmarks/audit.py [--routes 1000] [--rounds 30]

A third function views, a third MethodViews of two methods, a third under guarded blueprints. The
claim: 1000 routes in under 200 ms. The floor is walking the same rules and doing nothing.
"""

import argparse
import functools
import platform
import statistics
import time
from collections.abc import Callable

from flask import Blueprint, Flask
from flask.views import MethodView

import licet
from licet.authz import Access, AccessKind, declarations, mark

LIMIT_MS = 200
ACCESS = Access(kind=AccessKind.REQUIRES, text="is_admin")


def guarded(view):
    @functools.wraps(view)
    def wrapper(*args, **kwargs):
        return view(*args, **kwargs)

    return mark(wrapper, ACCESS)


class Items(MethodView):
    @guarded
    def get(self, number):
        return ""

    @guarded
    def post(self, number):
        return ""


def make_app(routes: int) -> Flask:
    app = Flask("bench")
    blueprint = Blueprint("area", __name__, url_prefix="/area")
    blueprint.before_request(guarded(lambda: None))
    for number in range(routes):
        path = f"/v{number}/<int:number>"
        if number % 3 == 0:
            app.add_url_rule(path, f"f{number}", guarded(lambda number: ""))
        elif number % 3 == 1:
            app.add_url_rule(path, view_func=Items.as_view(f"m{number}"))
        else:
            blueprint.add_url_rule(path, f"b{number}", lambda number: "")
    app.register_blueprint(blueprint)
    return app


def median_ms(act: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        act()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def first_ms(routes: int, rounds: int) -> float:
    """With the sorting of the map's rules, which Flask would do at the first request."""
    apps = iter([make_app(routes) for _ in range(rounds)])
    return median_ms(lambda: licet.protect(next(apps)), rounds)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--routes", type=int, default=1000)
    arguments.add_argument("--rounds", type=int, default=30)
    options = arguments.parse_args()
    app = make_app(options.routes)
    floor = median_ms(lambda: [rule.rule for rule in app.url_map.iter_rules()], options.rounds)
    first = first_ms(options.routes, min(options.rounds, 10))
    again = median_ms(lambda: licet.protect(app), options.rounds)
    listed = median_ms(lambda: declarations(app), options.rounds)
    print(
        f"ms for {options.routes} routes, medians of {options.rounds}, "
        f"Python {platform.python_version()}\n"
    )
    print(f"walking the rules      {floor:8.2f}")
    print(f"protect, at the start  {first:8.2f}")
    print(f"protect, again         {again:8.2f}")
    print(f"declarations           {listed:8.2f}")
    verdict = "holds" if first < LIMIT_MS else "FAILS"
    print(f"\nprotect < {LIMIT_MS} ms: {first:.1f} ms, {verdict}")


if __name__ == "__main__":
    main()
