"""Selection by name: every choice of parameters, data or boxes in `forecast` goes through `positions`."""

from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np
from jaxtyping import Int


def positions(wanted: Sequence[str], names: Sequence[str], subject: str) -> Int[np.ndarray, " wanted"]:
    """Positions of `wanted` in `names`, in the order of `wanted`.

    Parameters
    ----------
    wanted, names : unique names.
    subject : what is named, for the error text, such as ``"parameter"``.

    Raises
    ------
    ValueError : for a name that is absent or given twice; names the nearest one that exists.
    """
    place = {name: index for index, name in enumerate(names)}
    unknown = [name for name in wanted if name not in place]
    if unknown:
        nearest = get_close_matches(unknown[0], list(names), n=1)
        hint = f"; did you mean '{nearest[0]}'?" if nearest else ""
        raise ValueError(f"unknown {subject} {_quoted(unknown)}: there are {_quoted(names)}{hint}")
    require_unique(wanted, subject)
    return np.array([place[name] for name in wanted], dtype=int)


def require_unique(names: Sequence[str], subject: str) -> None:
    """Check that no name stands twice.

    Raises
    ------
    ValueError : naming those that do.
    """
    repeated = sorted({name for name in names if list(names).count(name) > 1})
    if repeated:
        raise ValueError(f"{subject} {_quoted(repeated)} given more than once: names must be unique")


def _quoted(names: Sequence[str]) -> str:
    """At most a dozen names in quotes."""
    shown = ", ".join(f"'{name}'" for name in names[:12])
    return shown + (f", ... ({len(names)} in all)" if len(names) > 12 else "")
