"""What a configuration is read against, and how all of its problems are found in one go."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, ValidationInfo, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

Place: TypeAlias = tuple[int | str, ...]
"""Where a problem is, below the section that found it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Where a configuration stands: what its relative paths and its `env` secrets refer to."""

    directory: Path = field(default_factory=Path)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    loopback: bool = True
    """Whether the server can only be reached from this machine, no proxy in front: elsewhere sample secrets, and files
    of secrets that others may read, are refused."""
    check_files: bool = False
    """Whether files have to exist; off while models are made by hand."""

    def path(self, name: str | Path) -> Path:
        """The path that `name` means in this configuration, made absolute."""
        return Path(os.path.normpath(Path(self.directory, Path(name).expanduser()).absolute()))


def reading_of(info: ValidationInfo) -> Reading:
    """The reading in progress; made by hand, a model reads against the process."""
    return info.context if isinstance(info.context, Reading) else Reading()


class Section(BaseModel):
    """Base of every part of the configuration: closed (an unknown key is a problem), immutable, and telling all of
    its problems at once, those of single keys as well as those between keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @classmethod
    def rules(cls, given: Mapping[str, Any], reading: Reading) -> Iterator[tuple[Place, str]]:
        """Problems between keys of `given`, which is as it was written: nothing in it can be relied upon."""
        yield from ()

    @classmethod
    def spelled_out(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """`given` with its short forms replaced by fields."""
        return given

    @classmethod
    def place(cls, given: Mapping[str, Any], loc: Place) -> Place:
        """`loc` in the words of the one who wrote `given`."""
        return loc

    @model_validator(mode="wrap")
    @classmethod
    def _tell_all_problems(cls, value: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        if not isinstance(value, Mapping):
            return handler(value)
        model, problems = None, []
        try:
            model = handler(cls.spelled_out(value))
        except ValidationError as error:
            problems = [
                (cls.place(value, item["loc"]), item["msg"])
                for item in error.errors(include_url=False, include_context=False, include_input=False)
            ]
        problems += cls.rules(value, reading_of(info))
        if problems or model is None:
            raise ValidationError.from_exception_data(cls.__name__, [_detail(*problem) for problem in problems])
        return model


_WORDS = {"Extra inputs are not permitted": "unknown key", "Field required": "required"}


def _detail(loc: Place, msg: str) -> InitErrorDetails:
    kind = PydanticCustomError("problem", "{msg}", {"msg": _WORDS.get(msg) or msg.removeprefix("Value error, ")})
    return InitErrorDetails(type=kind, loc=loc, input=None)


def part(item: Any, name: str) -> Any:
    """The part `name` of a section that may still be raw, or None."""
    return item.get(name) if isinstance(item, Mapping) else getattr(item, name, None)


def parts(item: Any, name: str) -> list[Any]:
    """The list `name` of a section that may still be raw; [] when it is none."""
    value = part(item, name)
    return list(value) if isinstance(value, (list, tuple)) else []
