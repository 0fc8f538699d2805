"""What a disk may hold after the power was cut, from the record of all that was written.

The record is of `recorder.c`. The model of the disk, in its own words:

- What was in a file when its last flush began is there.
- Of what was changed since, each sector of 512 or 4,096 bytes holds what the program had in it at
  the flush or at any moment since, whatever other sectors hold. The size is any that it had since.
- A name that was made, removed or changed since the last flush of the folder was, or was not.
- The change that was being made when the power went counts as one of these.
"""

from __future__ import annotations

import random
import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

__all__ = ["Record", "claims", "read_records", "state_after_cut", "whole_state"]

_HEAD: Final = struct.Struct("<c3xIQQQ")
_CHANGES: Final = frozenset("WTCUR")
_NAMING: Final = frozenset("ICUR")


@dataclass(frozen=True)
class Record:
    """One line of the recorder's log; recorder.c says what each kind is."""

    kind: str
    inode: int
    offset: int
    covered: int
    data: bytes


def read_records(log: Path) -> list[Record]:
    """The whole log, in order."""
    return list(_records(log.read_bytes()))


def _records(log: bytes) -> Iterator[Record]:
    at = 0
    while at < len(log):
        kind, size, inode, offset, covered = _HEAD.unpack_from(log, at)
        at += _HEAD.size
        yield Record(kind.decode(), inode, offset, covered, log[at : at + size])
        at += size


def claims(records: Sequence[Record], cut: int) -> Iterator[list[str]]:
    """The words of each claim that was made before the cut."""
    return (record.data.decode().split() for record in records[:cut] if record.kind == "M")


@dataclass
class _File:
    """The content that is written, and what it was since the last flush."""

    content: bytearray = field(default_factory=bytearray)
    sizes: list[int] = field(default_factory=list)
    sectors: dict[int, list[bytes]] = field(default_factory=lambda: defaultdict(list))

    def change(self, record: Record) -> None:
        """What the program did."""
        self.content.extend(bytes(max(0, record.offset - len(self.content))))
        if record.kind == "W":
            self.content[record.offset : record.offset + len(record.data)] = record.data
        else:
            del self.content[record.offset :]

    def change_unflushed(self, record: Record, sector_size: int) -> None:
        """The same, keeping what each sector was, and is now."""
        size = len(self.content)
        start = min(record.offset, size)
        end = record.offset + len(record.data) if record.kind == "W" else max(record.offset, size)
        touched = range(start // sector_size, -(-end // sector_size))
        for n in touched:
            if not self.sectors[n]:
                self.sectors[n].append(self._sector(n, sector_size))
        if not self.sizes:
            self.sizes.append(size)
        self.change(record)
        for n in touched:
            self.sectors[n].append(self._sector(n, sector_size))
        self.sizes.append(len(self.content))

    def _sector(self, n: int, size: int) -> bytes:
        return bytes(self.content[n * size : (n + 1) * size]).ljust(size, b"\0")

    def after_cut(self, chance: random.Random, sector_size: int) -> bytes:
        """One of the contents that the disk may hold."""
        choose = _Choice(chance)
        for n, versions in self.sectors.items():
            place = slice(n * sector_size, (n + 1) * sector_size)
            missing = place.start - len(self.content)
            self.content.extend(bytes(max(0, missing)))
            self.content[place] = versions[choose(len(versions))]
        if self.sizes:
            size = self.sizes[choose(len(self.sizes))]
            self.content.extend(bytes(max(0, size - len(self.content))))
            del self.content[size:]
        return bytes(self.content)


class _Choice:
    """Which of n versions: mostly the first, mostly the last, or any."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._p_first = chance.choice([0.0, 0.05, 0.3, 0.5, 0.95, 1.0])
        self._p_last = chance.choice([0.0, 0.5, 1.0])

    def __call__(self, n: int) -> int:
        if self._chance.random() < self._p_first:
            return 0
        return n - 1 if self._chance.random() < self._p_last else self._chance.randrange(n)


def state_after_cut(
    records: Sequence[Record], cut: int, initial: Path, folder: Path, chance: random.Random
) -> None:
    """Fill a folder with files as they may be after a cut before the record with that number.

    Args:
        records: of the run.
        cut: how many of them were complete.
        initial: the folder as it was at the beginning.
        folder: is made.
        chance: decides what of several possible states it is.
    """
    sector_size = chance.choice([512, 512, 512, 4096])
    flushed, folder_flushed = _flushes(records[:cut])
    files: dict[int, _File] = {}
    names: dict[str, int] = {}
    p_named = chance.choice([0.0, 0.5, 1.0])
    for number, record in enumerate(records[: cut + 1]):
        if number == cut and record.kind not in _CHANGES:
            continue
        if record.kind in _NAMING:
            files.setdefault(record.inode, _File(_initial(record, initial)))
            is_sure = record.kind == "I" or number < folder_flushed
            if is_sure or chance.random() < p_named:
                _name(names, record)
        elif record.kind in "WT":
            if number < flushed[record.inode]:
                files[record.inode].change(record)
            else:
                files[record.inode].change_unflushed(record, sector_size)
    folder.mkdir()
    for name, inode in names.items():
        (folder / name).write_bytes(files[inode].after_cut(chance, sector_size))


def whole_state(records: Sequence[Record], initial: Path) -> dict[str, bytes]:
    """The files by name, as they are when everything is written."""
    files: dict[int, _File] = {}
    names: dict[str, int] = {}
    for record in records:
        if record.kind in _NAMING:
            files.setdefault(record.inode, _File(_initial(record, initial)))
            _name(names, record)
        elif record.kind in "WT":
            files[record.inode].change(record)
    return {name: bytes(files[inode].content) for name, inode in names.items()}


def _flushes(records: Sequence[Record]) -> tuple[dict[int, int], int]:
    """By inode, before which record everything is on the disk; and the same for names."""
    flushed: dict[int, int] = defaultdict(int)
    folder_flushed = 0
    for record in records:
        if record.kind == "S":
            flushed[record.inode] = max(flushed[record.inode], record.covered)
        elif record.kind == "D":
            folder_flushed = max(folder_flushed, record.covered)
    return flushed, folder_flushed


def _initial(record: Record, initial: Path) -> bytearray:
    if record.kind != "I":
        return bytearray()
    return bytearray((initial / record.data.decode()).read_bytes())


def _name(names: dict[str, int], record: Record) -> None:
    if record.kind == "U":
        names.pop(record.data.decode(), None)
    elif record.kind == "R":
        old, new = record.data.decode().split("\0")
        names.pop(old, None)
        names[new] = record.inode
    else:
        names[record.data.decode()] = record.inode
