"""What every section of an experiment has in common, and the kinds of values that several sections hold.

A section is closed, frozen and hashable: an unknown key is an error and nothing changes after reading, so that JAX
takes a section as a static argument. The range of a value stands in its type, its unit and meaning in its description;
error texts and the JSON schema take them from there.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from lenscast.sections.errors import did_you_mean
from lenscast.sections.input_file import BY_CONTENT


class Section(BaseModel):
    """Base of all sections."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def __eq__(self, other: object) -> bool:
        """Same type and contents in the same order: the order of the statistics is that of the data vector."""
        if self is other:
            return True
        return super().__eq__(other) and self._described() == other._described()  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        """Hash of the contents, files included; equal sections have equal hashes, dictionaries included."""
        return hash((type(self), self._described()))

    def settings(self, *names: str) -> dict[str, Any]:
        """Plain values of what results depend on: hashes of what files hold stand in place of their paths.

        Parameters
        ----------
        names
            Names of fields; all of them where none is given.
        """
        return self.model_dump(mode="json", include={*names} or None, context=BY_CONTENT)

    def _described(self) -> str:
        """The section as text, with the hashes of its files."""
        return self.model_dump_json(context=BY_CONTENT)


def _increasing(values: tuple[float, ...]) -> tuple[float, ...]:
    """Refuse a value that is not above the one before."""
    for left, right in pairwise(values):
        if right <= left:
            raise ValueError(f"values must increase, but {right:g} follows {left:g}; sort them, each once")
    return values


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a name that comes twice."""
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"{', '.join(repeated)} given more than once; keep one")
    return values


def known(kind: str, names: Sequence[str]) -> AfterValidator:
    """Refuse a name that is not the name of a `kind`."""

    def check(name: str) -> str:
        if name not in names:
            raise ValueError(f"{name} is not a {kind}{did_you_mean(name, names)}")
        return name

    return AfterValidator(check)


def choices(names: Sequence[str]) -> Any:
    """Allowed strings, for the JSON schema of a field that `known` checks."""
    return Field(json_schema_extra={"enum": list(names)})


# squares, their sums and their inverses stay far inside the range of doubles, and of floats but for the smallest
Positive = Annotated[float, Field(gt=0.0, le=1e12)]
# part of names of files, which end at 255 letters
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}$")]
IncreasingPositive = Annotated[tuple[Positive, ...], AfterValidator(_increasing)]
Increasing = Annotated[tuple[float, ...], AfterValidator(_increasing)]
# the most massive clusters are peaks of a few tens
Heights = Annotated[tuple[Annotated[float, Field(ge=-1e3, le=1e3)], ...], AfterValidator(_increasing)]
Distinct = AfterValidator(_distinct)
Ascending = AfterValidator(_increasing)
