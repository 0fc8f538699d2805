"""``make mutants``: a sample of small changes to the source, and those that no test notices.

    python -m tests.faults.mutants [--count 150] [--seed 1] [--only src/licet/authz]

Each mutant is run against the tests that, by their coverage, call the line that it changes: the few
that call least come first. What survives is printed with its file and line, and is a test that is
missing, or a line that is not needed, or a mutant that means the same. More of them than ``--most``
is an error.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.ast import get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from coverage.numbits import numbits_to_nums
from tests.faults.planting import ROOT, run_with_copy

FOLDER = ROOT / ".tools" / "mutants"
DATA = FOLDER / "coverage.sqlite"
MOST_TESTS = 60
FOUND = (1, 2, 4)  # a test failed, or a module of tests could not be imported
TESTS = ("tests/unit", "tests/api", "tests/conformance", "examples", "services")
COVERAGE = """
[run]
source_pkgs = licet
dynamic_context = test_function
data_file = {data}
parallel = true
"""
LEFT_OUT = (
    "core/Variable",
    "core/RemoveDecorator",
    "core/ReplaceBinaryOperator_BitOr",
    # Python keeps one of each short text and number: "is" is "==" for them
    "core/ReplaceComparisonOperator_Eq_Is",
    "core/ReplaceComparisonOperator_NotEq_Is",
)


@dataclass(frozen=True)
class Mutant:
    """One change: an operator of cosmic-ray at one of the places that it fits in a file."""

    file: str
    line: int
    operator: str
    occurrence: int

    def text(self) -> str:
        """The text of the file with the change."""
        source = (ROOT / self.file).read_text("utf-8")
        changed = mutate_code(source, get_operator(self.operator)(), self.occurrence)
        if changed is None:
            raise LookupError(f"{self}: cosmic-ray finds the place no more.")
        return str(changed)

    def is_program(self) -> bool:
        """Whether the text with the change can be compiled; one with another ``**`` cannot."""
        try:
            compile(self.text(), self.file, "exec")
        except SyntaxError:
            return False
        return True


def measure() -> None:
    """Run the tests once, noting which of them calls each line."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    config = FOLDER / "coveragerc"
    config.write_text(COVERAGE.format(data=DATA), "utf-8")
    environ = {**os.environ, "COVERAGE_PROCESS_START": str(config)}
    tests = [sys.executable, "-m", "pytest", "-q", "-n", "auto", "-p", "no:randomly", *TESTS]
    subprocess.run(tests, cwd=ROOT, env=environ, check=True)
    combine = [sys.executable, "-m", "coverage", "combine", "--quiet", f"--rcfile={config}"]
    subprocess.run(combine, cwd=ROOT, check=True)


def all_mutants(only: str) -> Iterator[Mutant]:
    """Every mutant of the files below a folder."""
    names = [name for name in sorted(operator_names()) if not name.startswith(LEFT_OUT)]
    operators = [(name, get_operator(name)()) for name in names]
    for path in sorted((ROOT / only).rglob("*.py")):
        nodes = list(_nodes(get_ast(path.read_text("utf-8"))))
        file = str(path.relative_to(ROOT))
        for name, operator in operators:
            places = [place for node in nodes for place in operator.mutation_positions(node)]
            for occurrence, ((line, _column), *_end) in enumerate(places):
                yield Mutant(file, line, name, occurrence)


def _nodes(node: object) -> Iterator[object]:
    yield node
    for child in getattr(node, "children", ()):
        yield from _nodes(child)


def sample(
    mutants: Sequence[Mutant], tests: dict[tuple[str, int], list[str]], count: int, seed: int
) -> list[Mutant]:
    """So many lines that tests call, and of each one mutant that is a program."""
    by_line: dict[tuple[str, int], list[Mutant]] = {}
    for mutant in mutants:
        by_line.setdefault((mutant.file, mutant.line), []).append(mutant)
    chosen = random.Random(seed)
    lines = [line for line in by_line if tests.get(line)]
    found: list[Mutant] = []
    for line in chosen.sample(lines, len(lines)):
        those = by_line[line]
        found += [one for one in chosen.sample(those, len(those)) if one.is_program()][:1]
        if len(found) == count:
            break
    return found


def tests_by_line() -> dict[tuple[str, int], list[str]]:
    """The tests that call each line, first those that call the fewest lines in all."""
    with sqlite3.connect(DATA) as data:
        rows = data.execute(
            "SELECT path, context, numbits FROM line_bits"
            " JOIN file ON file.id = file_id JOIN context ON context.id = context_id"
            " WHERE context <> ''"
        ).fetchall()
    found: dict[tuple[str, int], list[str]] = {}
    size: Counter[str] = Counter()
    for path, context, bits in rows:
        lines = numbits_to_nums(bits)
        size[context] += len(lines)
        file = str(Path(path).relative_to(ROOT))
        for line in lines:
            found.setdefault((file, line), []).append(context)
    for contexts in found.values():
        contexts.sort(key=lambda one: (size[one], one))
    return found


def is_found(mutant: Mutant, tests: Sequence[str]) -> bool:
    """Whether one of the tests fails, or does not end."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            result = run_with_copy(Path(folder), mutant.file, mutant.text(), list(tests))
        except subprocess.TimeoutExpired:
            return True
    if result.returncode not in (0, *FOUND) or "no tests ran" in result.stdout:
        raise RuntimeError(f"{mutant}: pytest could not run {tests}: {result.stdout[-2000:]}")
    return result.returncode in FOUND


def as_tests(contexts: Sequence[str]) -> list[str]:
    """The contexts of coverage as pytest names their functions, once each."""
    names = dict.fromkeys(map(_as_test, contexts))
    return [name for name in names if name][:MOST_TESTS]


def _as_test(context: str) -> str:
    """``tests.unit.cli.test_x.TestY.test_z`` as ``tests/unit/cli/test_x.py::TestY::test_z``."""
    parts = context.split(".")
    for end in range(len(parts) - 1, 0, -1):
        file = Path(*parts[:end]).with_suffix(".py")
        if (ROOT / file).is_file():
            return "::".join([str(file), *parts[end:]])
    return ""


def _shown(mutant: Mutant) -> str:
    """Where the mutant is, the line as it is, and as it was changed."""
    source = (ROOT / mutant.file).read_text("utf-8").splitlines()
    place = f"{mutant.file}:{mutant.line} {mutant.operator}#{mutant.occurrence}"
    lines = (source[mutant.line - 1], mutant.text().splitlines()[mutant.line - 1])
    return "\n    ".join([place, *map(str.strip, lines), ""])


def main() -> int:
    """Print the survivors; 1 when they are more than may be."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="src/licet")
    parser.add_argument("--most", type=int, default=None, help="so many may survive")
    given = parser.parse_args()
    if not DATA.exists():
        measure()
    tests = tests_by_line()
    chosen = sample(list(all_mutants(given.only)), tests, given.count, given.seed)
    survivors = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = pool.map(lambda one: is_found(one, as_tests(tests[one.file, one.line])), chosen)
        for mutant, found in zip(chosen, outcomes, strict=True):
            print("." if found else f"\n{_shown(mutant)}", end="", flush=True)
            if not found:
                survivors.append(mutant)
    print(f"\n{len(chosen)} mutants, {len(survivors)} survived.")
    return int(given.most is not None and len(survivors) > given.most)


if __name__ == "__main__":
    sys.exit(main())
