"""Weights of trained corrections that come with the package, a JSON file each, and where a name or a path leads.

Free of JAX, as the config is: it refuses names that are not here. `lenscast.io` says what the files hold.
"""

from fnmatch import fnmatch
from importlib import resources
from pathlib import Path

__all__ = ["content", "is_path", "made_by_training", "shipped"]

LARGEST = 10**8
"""Bytes of a file of weights; those that training makes have 1e5."""


def shipped() -> tuple[str, ...]:
    """Names of the weights that come with the package."""
    names = (file.name for file in resources.files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".json") for name in names if name.endswith(".json")))


def is_path(weights: str) -> bool:
    """Whether weights are a file of the user's and not a name: such a text has a / or ends in .json."""
    return "/" in weights or weights.endswith(".json")


def made_by_training(weights: str) -> bool:
    """Whether the workflow makes the file of these weights where it is not there yet."""
    return fnmatch(weights, "results/training/*/hpn.json") or fnmatch(weights, "results/training/*/pgd.json")


def content(weights: str) -> bytes:
    """What the file of a name or path holds.

    Raises
    ------
    ValueError
        For a file that does not exist or cannot be read, and a name that is not shipped.
    """
    names = ", ".join(shipped()) or "none"
    if is_path(weights):
        path = Path(weights)
        try:
            if path.exists() and not path.is_file():
                raise ValueError(f"weights {weights} are a folder or a device; give the path of a JSON file")
            if path.stat().st_size > LARGEST:
                raise ValueError(
                    f"weights {weights} have {path.stat().st_size} bytes, and none have more than {LARGEST}"
                )
            return path.read_bytes()
        except FileNotFoundError:
            raise ValueError(
                f"weights {weights}: there is no such file; `snakemake train_correction` makes "
                f"results/training/<run>/hpn.json and pgd.json, and with the package come {names}"
            ) from None
        except OSError as error:
            raise ValueError(f"weights {weights} cannot be read ({error.strerror}); give another path") from None
    if weights not in shipped():
        raise ValueError(
            f"no weights {weights} come with the package, but {names}; a path has a / in it or ends in .json"
        )
    return resources.files(__name__).joinpath(f"{weights}.json").read_bytes()
