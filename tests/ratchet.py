"""Fails when branch coverage of a subject falls below what it once reached.

``tests/coverage-floor.json`` holds the floors in per cent. A run that ends a whole point above one
says so: raise it then, in the same change.
"""

import json
import sys
from pathlib import Path

from coverage import Coverage

FLOORS = Path(__file__).with_name("coverage-floor.json")


def main() -> None:
    measured = _measure()
    floors = json.loads(FLOORS.read_text("utf-8"))
    failed = False
    for subject, floor in floors.items():
        found = measured.get(subject, 0.0)
        verdict = "ok"
        if found < floor:
            failed, verdict = True, "FELL BELOW ITS FLOOR"
        elif found >= floor + 1:
            verdict = f"raise the floor to {int(found)}"
        print(f"coverage {subject:10} {found:6.2f} %  floor {floor:5.1f} %  {verdict}")
    if failed:
        sys.exit("Branch coverage fell: see .venv/bin/coverage report for the lines.")


def _measure() -> dict[str, float]:
    """Covered statements and branches of each subject, in per cent."""
    coverage = Coverage()
    coverage.load()
    report = Path(".coverage.json")
    coverage.json_report(outfile=str(report))
    files = json.loads(report.read_text("utf-8"))["files"]
    report.unlink()
    sums: dict[str, list[int]] = {}
    for name, file in files.items():
        parts = Path(name).parts
        below = parts[parts.index("licet") + 1]
        for subject in (below.removesuffix(".py"), "total"):
            summary = file["summary"]
            covered, all_ = sums.setdefault(subject, [0, 0])
            sums[subject] = [
                covered + summary["covered_lines"] + summary["covered_branches"],
                all_ + summary["num_statements"] + summary["num_branches"],
            ]
    return {subject: 100 * covered / max(all_, 1) for subject, (covered, all_) in sums.items()}


if __name__ == "__main__":
    main()
