"""The recorder sees every way to change a file; the replayer takes back what is not flushed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from tests.acceptance.power_cut.replayer import Record, read_records, state_after_cut, whole_state

BEGIN = """
import ctypes, os, sys, threading
folder, log = sys.argv[1:]
assert ctypes.CDLL(None).recorder_start(folder.encode(), log.encode(), 1) == 0
os.chdir(folder)
a = os.open("a", os.O_RDWR | os.O_CREAT, 0o600)
os.write(a, b"0123456789" * 200)
"""
N_AT_BEGIN = 3  # records: what was there, what is made, what is written
WAYS = {
    "write": 'os.write(a, b"more")',
    "seek": 'os.lseek(a, 5, os.SEEK_SET); os.write(a, b"xx")',
    "append": 'os.write(os.open(f"{folder}/a", os.O_WRONLY | os.O_APPEND), b"end")',
    "pwrite": 'os.pwrite(a, b"xyz", 3000)',
    "writev": 'os.writev(a, [b"one", b"", b"two"])',
    "pwritev": 'os.pwritev(a, [b"one", b"two"], 3000)',
    "truncate": "os.ftruncate(a, 1000)",
    "longer": "os.ftruncate(a, 9000)",
    "allocate": "os.posix_fallocate(a, 100, 9000)",
    "anew": 'os.open("a", os.O_WRONLY | os.O_TRUNC)',
    "duplicate": 'os.write(os.dup(a), b"more")',
    "duplicate to": 'os.pwrite(os.dup2(a, 77), b"more", 4)',
    "rename": 'os.rename("a", "b")',
    "replace": 'os.close(os.open("b", os.O_CREAT)); os.replace(f"{folder}/a", "b")',
    "remove": 'os.unlink("a"); os.write(a, b"unseen")',
    "remove and make": 'os.unlink("a"); os.write(os.open("a", os.O_CREAT | os.O_RDWR), b"new")',
    "in the folder": """
f = os.open(".", os.O_RDONLY)
os.write(os.open("c", os.O_CREAT | os.O_WRONLY, dir_fd=f), b"c")
os.unlink("a", dir_fd=f)""",
    "thread": 't = threading.Thread(target=os.write, args=(a, b"t")); t.start(); t.join()',
    "fork": """
if not os.fork():
    os.write(a, b"child")
    os._exit(0)
os.wait()
os.write(a, b"parent")""",
}


@pytest.fixture
def recorded(recorder, tmp_path):
    """A function that records a program, and gives its records and the folder that it left."""

    def record(program: str) -> tuple[list[Record], Path]:
        (folder := tmp_path / "folder").mkdir()
        (folder / "before").write_bytes(b"here")
        (tmp_path / "initial").mkdir()
        (tmp_path / "initial" / "before").write_bytes(b"here")
        told = [sys.executable, "-ISc", BEGIN + program, folder, tmp_path / "log"]
        subprocess.run(told, env={**os.environ, "LD_PRELOAD": str(recorder)}, check=True)
        return read_records(tmp_path / "log"), folder

    return record


@pytest.mark.parametrize("way", WAYS)
def test_every_change_is_recorded(recorded, tmp_path, way):
    """The record, carried out wholly, gives the files that the program left."""
    records, folder = recorded(WAYS[way])
    left = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert whole_state(records, tmp_path / "initial") == left
    assert len(records) > N_AT_BEGIN


def states(records, tmp_path, *, name="state", n=200):
    """Many of the states that a cut at the end may leave: the files of each, by name."""
    for seed in range(n):
        folder = tmp_path / f"{name}-{seed}"
        chance = random.Random(seed)
        state_after_cut(records, len(records), tmp_path / "initial", folder, chance)
        yield {file.name: file.read_bytes() for file in folder.iterdir()}


SHORT = 'os.pwrite(a, b"a" * 1024, 0); '
FLUSHED = "os.fsync(a); os.fsync(os.open(folder, 0)); "


def test_what_is_not_flushed_is_there_or_not(recorded, tmp_path):
    """Each sector for itself; the size, too, and the name."""
    records, _ = recorded("")
    found = list(states(records, tmp_path))
    assert {"a" in state for state in found} == {True, False}
    whole = b"0123456789" * 200
    contents = {state["a"] for state in found if "a" in state}
    assert {b"", whole, bytes(2000)} <= contents
    assert any(content[:512] == bytes(512) and content[512:] == whole[512:] for content in contents)


def test_what_is_flushed_is_there(recorded, tmp_path):
    """Content by the file's flush, and the name by the folder's; what follows is there or not."""
    records, _ = recorded(f"{FLUSHED} os.pwrite(a, b'!' * 512, 512)")
    whole = b"0123456789" * 200
    contents = {state["a"] for state in states(records, tmp_path)}
    assert contents == {whole, whole[:512] + b"!" * 512 + whole[1024:]}


@pytest.mark.parametrize(
    ("program", "possible"),
    [
        ("os.unlink('a')", [{"a"}, set()]),
        ("os.unlink('a'); os.fsync(os.open('.', 0))", [set()]),
        ("os.unlink('a'); os.fsync(a)", [{"a"}, set()]),
        ("os.rename('a', 'b')", [{"a"}, {"b"}]),
        ("os.rename('a', 'b'); os.fsync(os.open('.', 0))", [{"b"}]),
    ],
)
def test_names_last_by_the_folders_flush(recorded, tmp_path, program, possible):
    """A removal or a new name that the folder was not flushed for may be undone."""
    records, _ = recorded(FLUSHED + program)
    found = {frozenset(state.keys() - {"before"}) for state in states(records, tmp_path)}
    assert found == set(map(frozenset, possible))


def test_a_flush_covers_what_was_written_before_it_began(recorded, tmp_path):
    """Nothing counts that was written before the flush ended, and after it began."""
    records, _ = recorded(FLUSHED + SHORT + "os.fsync(a)")
    (*_, last) = records
    begun_before = Record(last.kind, last.inode, 0, last.covered - 1, b"")
    changed = [*records[:-1], begun_before]
    assert {state["a"][:1] for state in states(records, tmp_path, name="one", n=50)} == {b"a"}
    assert {state["a"][:1] for state in states(changed, tmp_path, name="two", n=50)} == {b"a", b"0"}


def test_files_that_were_there_stay(recorded, tmp_path):
    """What the recorder found at its start is on the disk."""
    records, _ = recorded("")
    assert {state["before"] for state in states(records, tmp_path, n=20)} == {b"here"}
