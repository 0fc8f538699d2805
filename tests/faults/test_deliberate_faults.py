"""Each kind of fault that was mended once is found by the suite, in three forms."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest
from tests.faults.authorization import FAULTS
from tests.faults.planting import Fault, run_with_copy

IDS = [f"{fault.kind}-{number % 3 + 1}" for number, fault in enumerate(FAULTS)]
NO_TEST_FAILED = 0
SOME_TEST_FAILED = 1
BROKE_ON_THE_WAY = (2, 3, 4)  # a module that cannot be imported is no fault that a test found


@pytest.mark.parametrize("fault", FAULTS, ids=IDS)
def test_the_fault_can_be_planted(fault: Fault) -> None:
    """What it replaces is there once, so that the list of faults follows the code."""
    compile(fault.planted(), fault.file, "exec")


def test_each_kind_has_three() -> None:
    """As many as make a kind, and not one instance of it."""
    assert set(Counter(fault.kind for fault in FAULTS).values()) == {3}


@pytest.mark.full
@pytest.mark.parametrize("fault", FAULTS, ids=IDS)
def test_the_fault_is_found(fault: Fault, tmp_path: Path) -> None:
    """By one of the tests that are named beside it."""
    try:
        result = run_with_copy(tmp_path, fault.file, fault.planted(), fault.tests.split())
    except subprocess.TimeoutExpired:
        return  # it never ends, which nobody would miss
    assert result.returncode == SOME_TEST_FAILED, result.stdout[-3000:] + result.stderr[-1000:]
