"""Selection by name: every choice of parameters, data or boxes in `forecast` goes through `positions`."""

from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np
from jaxtyping import Int


def positions(selection: Sequence[str], names: Sequence[str], subject: str) -> Int[np.ndarray, " selection"]:
    """Positions of the selected names among all names, in the order of the selection.

    Parameters
    ----------
    selection
        Names to find, unique.
    names
        All names, unique.
    subject
        What the names stand for, for the text of an error, such as ``"parameter"``.

    Raises
    ------
    ValueError
        If a selected name is absent or stands twice in the selection; suggests the nearest name that exists.
    """
    place = {name: index for index, name in enumerate(names)}
    unknown = [name for name in selection if name not in place]
    if unknown:
        nearest = get_close_matches(unknown[0], list(names), n=1)
        hint = f"; did you mean '{nearest[0]}'?" if nearest else ""
        raise ValueError(f"unknown {subject} {_quoted(unknown)}: there are {_quoted(names)}{hint}")
    require_unique(selection, subject)
    # dtype=int: an empty list would become float64, which indexes nothing
    return np.array([place[name] for name in selection], dtype=int)


def require_unique(names: Sequence[str], subject: str) -> None:
    """Check that no name stands twice.

    Parameters
    ----------
    names
        Names to check.
    subject
        What the names stand for, for the text of an error.

    Raises
    ------
    ValueError
        If names repeat; lists them.
    """
    repeated = sorted({name for name in names if list(names).count(name) > 1})
    if repeated:
        raise ValueError(f"{subject} {_quoted(repeated)} given more than once: names must be unique")


def _quoted(names: Sequence[str]) -> str:
    """At most a dozen names in quotes."""
    text = ", ".join(f"'{name}'" for name in names[:12])
    return text + (f", ... ({len(names)} in all)" if len(names) > 12 else "")
