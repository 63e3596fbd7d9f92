"""The file of a trained correction: JSON with its numbers, and a card that says what it was trained on.

Free of JAX, so that a config is refused before anything runs if its weights cannot be used.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from lenscast import trained
from lenscast.sections.box import Integrator, ParticleMesh
from lenscast.sections.errors import ConfigError, problems
from lenscast.sections.section import Positive, Section

CELL_TOLERANCE = 0.01  # relative

AGAIN = "copy the file again or train again"

Vector = tuple[float, ...]


class Card(Section):
    """What a user of a trained correction needs to know."""

    data: Any = Field(description="the simulations that were reproduced")
    loss: Any = Field(description="what was minimised, and how")
    box_sizes: Vector = Field(description="sides of their boxes [Mpc/h]")
    cell_min: float = Field(gt=0.0, description="smallest cell of the force mesh [Mpc/h]")
    cell_max: float = Field(gt=0.0, description="largest cell of the force mesh [Mpc/h]")
    ln_sigma_range: tuple[float, float] = Field(description="range of the logarithm of the rms density of a cell")
    redshift_range: tuple[float, float] = Field(description="lowest and highest redshift")
    mesh_factor: int = Field(ge=1, description="force mesh points per particle spacing")
    gradient: str = Field(description="gradient of the potential on the mesh")
    integrator: Any = Field(description="time integration of the trained simulation")
    steps: tuple[int, ...] | None = Field(default=None, description="numbers of steps in the training, increasing")
    accuracy: Any = Field(description="how well the references are reproduced")
    not_tested_on: str = Field(description="where nothing is known")


class Layer(Section):
    """Weights, a row for each unit, and biases of a layer of a network."""

    weights: tuple[Vector, ...]
    biases: Vector


def _outputs(layers: Sequence[Layer], inputs: int) -> int:
    """Number of outputs of layers that take this number of inputs; shapes that do not fit are refused."""
    for layer in layers:
        if len(layer.weights) != len(layer.biases) or any(len(row) != inputs for row in layer.weights):
            raise ValueError(f"weights have shapes that do not fit each other; {AGAIN}")
        inputs = len(layer.biases)
    return inputs


class HPNWeights(Section):
    """Numbers of `lenscast.corrections.HPN`."""

    kind: Literal["hpn"]
    ln_sigma_range: tuple[float, float]
    layers: tuple[Layer, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits_together(self) -> "HPNWeights":
        first = self.layers[0].weights
        inputs = 3 if first and len(first[0]) == 3 else 2  # k, the nonlinearity and, in files of today, the time step
        if _outputs(self.layers, inputs) != 1:
            raise ValueError(f"the last layer has more than one unit; {AGAIN}")
        return self


class PublishedHPNWeights(Section):
    """Numbers of `lenscast.corrections.PublishedHPN`."""

    kind: Literal["published_hpn"]
    hidden: tuple[Layer, ...]
    coefficients: tuple[Layer, ...]
    increments: tuple[Layer, ...]

    @model_validator(mode="after")
    def _fits_together(self) -> "PublishedHPNWeights":
        units = _outputs(self.hidden, inputs=1)  # of the scale factor
        if len(self.coefficients) != 1 or len(self.increments) != 1:
            raise ValueError(f"coefficients and increments are not one layer each; {AGAIN}")
        _outputs(self.coefficients, units)
        _outputs(self.increments, units)
        return self


class PGDWeights(Section):
    """Numbers of `lenscast.corrections.PGD`."""

    kind: Literal["pgd"]
    ln_sigma: Vector
    alpha: tuple[Annotated[float, Field(lt=0.0)], ...]
    large: tuple[Positive, ...]
    small: tuple[Positive, ...]

    @model_validator(mode="after")
    def _fits_together(self) -> "PGDWeights":
        lengths = {len(values) for values in (self.ln_sigma, self.alpha, self.large, self.small)}
        if len(lengths) > 1 or lengths == {0}:
            raise ValueError(f"ln_sigma, alpha, large and small differ in length or are empty; {AGAIN}")
        return self


class CorrectionFile(Section):
    """Content of the file of a correction."""

    format: Literal["lenscast correction 1"]
    card: Card
    weights: HPNWeights | PublishedHPNWeights | PGDWeights = Field(discriminator="kind")

    @property
    def kind(self) -> Literal["hpn", "pgd"]:
        """Kind of the correction, as a config has it."""
        return "pgd" if isinstance(self.weights, PGDWeights) else "hpn"


def read_correction(weights: str, kind: str | None = None) -> CorrectionFile:
    """The file of a correction, checked.

    Parameters
    ----------
    weights
        Name of weights that come with the package, or path of a file.
    kind
        Kind that the correction must have, as in the config; None for any.

    Raises
    ------
    ValueError
        If there is no such file, it is not JSON, it is damaged, or the correction is of another kind.
    """
    content = trained.content(weights)
    if content[:1] == b"\x80" or content[:2] in (b"PK", b"\x1f\x8b") or content[1:6] == b"NUMPY":
        raise ValueError(
            f"weights {weights} are a pickle, an archive or an array, which are never loaded: give the JSON file that "
            "`snakemake train_correction` makes"
        )
    try:
        values = json.loads(content, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"weights {weights} are not JSON ({error}): train again, or copy the file again") from error
    file = checked_correction(values, weights)
    if kind not in (None, file.kind):
        raise ValueError(
            f"weights {weights} are of kind {file.kind}, but the config says kind: {kind}; change one of the two"
        )
    return file


def checked_correction(values: Any, source: str) -> CorrectionFile:
    """The content of a file, checked; the error lists all that is wrong with it."""
    try:
        return CorrectionFile.model_validate(values)
    except ValidationError as error:
        raise ConfigError(problems(error, CorrectionFile.model_json_schema()), source) from error


def _without_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; of a key that comes twice, readers keep the last one."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(name for name in names if names.count(name) > 1)} is given twice")
    return found


def mismatches(card: Mapping[str, Any], mesh: ParticleMesh, integrator: Integrator) -> Iterator[str]:
    """Each difference between a simulation and those that a correction was trained on, with both values.

    Parameters
    ----------
    card
        Card of the correction.
    mesh, integrator
        Resolution and time integration of the simulation.
    """
    low, high = card["cell_min"], card["cell_max"]
    if not low * (1 - CELL_TOLERANCE) <= mesh.cell_size <= high * (1 + CELL_TOLERANCE):
        trained = f"cells of {low:g} Mpc/h" if low == high else f"cells from {low:g} to {high:g} Mpc/h"
        yield (
            f"trained on {trained}, but this simulation has cells of {mesh.cell_size:g} Mpc/h; compare it with a "
            "higher-resolution run"
        )
    steps, used = card.get("steps"), getattr(integrator, "steps", None)
    if steps and used is not None and used < min(steps):
        yield (
            f"trained with {min(steps)} time steps and more, but this simulation has {used}; raise "
            f"simulation.integrator.steps to {min(steps)}"
        )
    for name in ("mesh_factor", "gradient"):
        if card[name] != getattr(mesh, name):
            yield f"trained with {name} = {card[name]}, but this simulation has {getattr(mesh, name)}; change one"
