"""Where a setting comes from: the app's config, else the environment; malformed is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from licet.errors import ConfigurationError

__all__ = ["Source"]

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True)
class Source:
    """The app's config before the environment, read name by name; `asked` are those names."""

    config: Mapping[str, Any]
    environ: Mapping[str, str]
    asked: set[str] = field(default_factory=set)

    def value(self, name: str) -> Any:
        """The setting as it was given; None when nobody says."""
        self.asked.add(name)
        found = self.config.get(name)
        return self.environ.get(name) if found is None else found

    def text(self, name: str, default: str) -> str:
        """The setting as text, or the default when it is missing or empty."""
        found = self.value(name)
        return default if found is None or found == "" else str(found)

    def url(self, name: str, default: str) -> str:
        """An http or https URL."""
        found = self.text(name, default)
        if not found:
            raise ConfigurationError(f"{name} is not set: write an http or https URL.")
        parts = urlsplit(found)
        if parts.scheme not in ("http", "https") or not parts.netloc or not found.isprintable():
            raise ConfigurationError(f"{name} is {found!r}: write an http or https URL.")
        return found

    def words(self, name: str) -> frozenset[str]:
        """Names with commas between them, or a collection of them."""
        found = self.value(name)
        listed = found.split(",") if isinstance(found, str) else found or ()
        try:
            names = [str(one).strip() for one in listed]
        except TypeError:
            names = [""]
        if wrong := [one for one in names if not one.isidentifier()]:
            if found == "":
                return frozenset()
            raise ConfigurationError(
                f"{name} is {found!r}, and {wrong[0]!r} is no name: write names with commas "
                "between them."
            )
        return frozenset(names)

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false, in one of the usual spellings."""
        found = self.value(name)
        if found is None or isinstance(found, bool):
            return default if found is None else found
        text = str(found).strip().lower()
        if text not in _TRUE | _FALSE:
            raise ConfigurationError(f"{name} is {found!r}: write true or false.")
        return text in _TRUE

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        """One of the allowed words, the first when nobody says."""
        found = self.text(name, allowed[0])
        if found not in allowed:
            raise ConfigurationError(f"{name} is {found!r}: write {' or '.join(allowed)}.")
        return found

    def count(self, name: str, default: int) -> int:
        """A whole number, 0 included."""
        found = self.value(name)
        if found is None:
            return default
        if found in (0, "0") and not isinstance(found, bool):
            return 0
        return self._whole(name, default, "0 or a whole number above it")

    def positive(self, name: str, default: int) -> int:
        """A whole number above 0."""
        return self._whole(name, default, "a whole number above 0")

    def _whole(self, name: str, default: int, wanted: str) -> int:
        found = self.value(name)
        try:
            number = default if found is None else int(found)
        except (TypeError, ValueError, OverflowError):
            number = 0
        if isinstance(found, bool | float):  # int() takes them, and cuts
            number = 0
        if number <= 0:
            raise ConfigurationError(f"{name} is {found!r}: write {wanted}.")
        return number
