"""Weights of trained corrections that come with the package, a JSON file each, and where a name or a path leads.

Free of JAX, as the config is: it refuses names that are not here. `lenscast.io` says what the files hold.
"""

from importlib import resources
from pathlib import Path

__all__ = ["content", "is_path", "shipped"]


def shipped() -> tuple[str, ...]:
    """Names of the weights that come with the package."""
    names = (file.name for file in resources.files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".json") for name in names if name.endswith(".json")))


def is_path(weights: str) -> bool:
    """Whether weights are a file of the user's and not a name: such a text has a / or ends in .json."""
    return "/" in weights or weights.endswith(".json")


def content(weights: str) -> bytes:
    """What the file of a name or path holds.

    Raises
    ------
    ValueError
        For a file that does not exist and a name that is not shipped.
    """
    names = ", ".join(shipped()) or "none"
    if is_path(weights):
        try:
            return Path(weights).read_bytes()
        except FileNotFoundError:
            raise ValueError(
                f"weights {weights}: there is no such file; `snakemake train_correction` makes "
                f"results/training/<run>/hpn.json and pgd.json, and with the package come {names}"
            ) from None
    if weights not in shipped():
        raise ValueError(
            f"no weights {weights} come with the package, but {names}; a path has a / in it or ends in .json"
        )
    return resources.files(__name__).joinpath(f"{weights}.json").read_bytes()
