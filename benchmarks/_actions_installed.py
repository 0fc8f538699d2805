"""The rivals of actions.py, in a folder of their own."""

from __future__ import annotations

import subprocess
import sys

from _durables import ROOT

VERSIONS = {"procrastinate": "3.10.0", "dbos": "3.4.0"}
FOLDER = ROOT / ".tools" / "bench-actions"


def install() -> None:
    if not FOLDER.exists():
        uv = str(ROOT / ".tools" / "bin" / "uv")
        pinned = [f"{name}=={version}" for name, version in VERSIONS.items()]
        target = ["--python", sys.executable, "--target", str(FOLDER)]
        subprocess.run([uv, "pip", "install", "-q", *target, *pinned], check=True)


def add_rivals() -> None:
    sys.path.append(str(FOLDER))  # last, so that what the project has locked comes first
