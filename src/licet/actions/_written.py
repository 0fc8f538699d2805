"""Documents that programs write: a misspelt field is refused instead of dropped.

`runable_by=[…]`, dropped, opens a provider to everybody. Only what a program writes by keyword is
looked at: a document that is read (`model_validate`) may have members that came later.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Self

from pydantic import AliasChoices, AliasPath, BaseModel

from licet.errors.names import refuse_unknown

__all__ = ["Written"]


class Written(BaseModel):
    """A document that refuses the keywords of no field, unless its class allows open fields.

    Raises:
        UnknownName: a keyword is no field's name; which one was meant.
    """

    def __init__(self, /, **fields: Any) -> None:
        self.refuse_unknown_fields(fields)
        super().__init__(**fields)

    # pydantic's own mark of an __init__ that reading a document may pass over
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other values in some fields.

        Raises:
            UnknownName: there is no such field.
        """
        self.refuse_unknown_fields(update or {})
        return super().model_copy(update=update, deep=deep)

    @classmethod
    def model_construct(  # type: ignore[override]  # of what pydantic's mypy plugin imagines
        cls, _fields_set: set[str] | None = None, **values: Any
    ) -> Self:
        """A document of values that are not looked at; their names are.

        Raises:
            UnknownName: there is no such field.
        """
        cls.refuse_unknown_fields(values)
        return super().model_construct(_fields_set, **values)

    @classmethod
    def refuse_unknown_fields(cls, names: Collection[str]) -> None:
        """Refuse names that are no fields'.

        Raises:
            UnknownName: some are not.
        """
        fields = cls.model_fields
        if cls.model_config.get("extra") == "allow" or fields.keys() >= set(names):
            return
        aliases = {str(each) for one in fields.values() for each in _aliases(one.validation_alias)}
        refuse_unknown(
            f"{cls.__name__} has no field",
            names,
            fields.keys() | aliases,
            remedy="A document of somebody else's, which may have more fields, is read with "
            f'{cls.__name__}.model_validate(document, extra="ignore").',
        )


def _aliases(alias: str | AliasPath | AliasChoices | None) -> list[str | int]:
    """The keywords that an alias of a subclass's field stands for."""
    match alias:
        case AliasChoices(choices=choices):
            return [name for each in choices for name in _aliases(each)]
        case AliasPath(path=path):
            return path[:1]
        case None:
            return []
    return [alias]
