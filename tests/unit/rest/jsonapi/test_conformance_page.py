"""The page about conformance names tests that there are."""

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[3] / "docs/reference/jsonapi-conformance.md"


def test_every_rule_names_its_test():
    """Each row has a test that exists, or says that the part is not served."""
    lines = PAGE.read_text("utf-8").splitlines()
    rows = [line for line in lines if re.match(r"\| (?!Rule|What \|)", line)]
    assert len(rows) > 50
    for row in rows:
        named = re.findall(r"`(test_\w+)::(test_\w+)`", row)
        assert named or row.endswith("not served |"), row
        for module, test in named:
            text = (HERE / f"{module}.py").read_text("utf-8")
            assert f"def {test}(" in text, f"{module}::{test}"
