"""Training of a flow on simulated boxes: the boxes that stop the training are none of those that it learns from.

Maps and noise draws of a box have a box in common, so that data with an axis of boxes are split along it alone. A split
by maps would stop late: held-out maps of known boxes are known in part.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float64

from lenscast.inference.flows import ConditionalFlow, FlowShape, Regression, log_prob, untrained_flow

__all__ = ["Schedule", "TrainedFlow", "train_flow", "validation_boxes"]

VALIDATION = 0.1
"""Share of the boxes that stop the training."""


class Schedule(NamedTuple):
    """How long and how fast a flow learns.

    Attributes
    ----------
    rate
        Largest rate of Adam; it falls with the cosine of the epoch to 0 at the last one.
    batch
        Number of data vectors of a step.
    epochs
        Largest number of passes through the data.
    patience
        Number of passes without a better density of the validation boxes after which the training ends.
    """

    rate: float = 2e-3
    batch: int = 128
    epochs: int = 100
    patience: int = 20


class TrainedFlow(NamedTuple):
    """A flow after its training.

    Attributes
    ----------
    flow
        The flow of the epoch with the best validation.
    training, validation
        Mean logarithm of the density of the coordinates after each epoch: of the training during it, and of the
        validation boxes.
    """

    flow: ConditionalFlow
    training: Float64[np.ndarray, " epoch"]
    validation: Float64[np.ndarray, " epoch"]


def validation_boxes(boxes: int, seed: int) -> Bool[np.ndarray, " box"]:
    """Which boxes stop the training: a tenth of them, at random.

    Parameters
    ----------
    boxes
        Number of boxes.
    seed
        Seed of the choice.

    Raises
    ------
    ValueError
        If there are fewer than 20 boxes.
    """
    if boxes < 20:
        raise ValueError(f"{boxes} boxes to learn from: give 20 or more, or the training is stopped by one of them")
    chosen = np.zeros(boxes, bool)
    chosen[np.random.default_rng([seed, boxes]).permutation(boxes)[: int(VALIDATION * boxes)]] = True
    return chosen


def train_flow(
    z: Float64[np.ndarray, "box param"],
    features: Float64[np.ndarray, "box row feature"],
    transformer: str,
    seed: int,
    schedule: Schedule | None = None,
    report: Callable[[int, float], None] = lambda epoch, log_q: None,
) -> TrainedFlow:
    """Maximise the mean logarithm of the density of the parameters given the data.

    Parameters
    ----------
    z
        Coordinates of the parameters of each box.
    features
        Features of the data vectors of each box.
    transformer
        ``spline`` or ``affine``.
    seed
        Seed of the weights, of the order of the data and of the choice of validation boxes.
    schedule
        Rate and length of the training.
    report
        Called with the number of each epoch and its validation.

    Raises
    ------
    ValueError
        As `validation_boxes`, or if the density is not finite.
    ImportError
        If flowjax is not installed.
    """
    schedule, stops = schedule or Schedule(), validation_boxes(len(z), seed)
    shape = FlowShape(transformer, z.shape[1], features.shape[2])  # type: ignore[arg-type]
    begun = untrained_flow(shape, seed)
    learning, stopping = (_rows(z[each], features[each]) for each in (~stops, stops))
    regression = Regression.fit(*learning)
    constant = np.log(np.diag(regression.factor)).sum()
    best, history = begun, list[tuple[float, float]]()
    learning, stopping = (_whitened(regression, *each) for each in (learning, stopping))
    for flow, learnt, stopped in _epochs(begun, learning, stopping, schedule, seed):
        if not np.isfinite(learnt + stopped):
            raise ValueError(f"the density is not finite after epoch {len(history)}: data may have far outliers")
        history.append((learnt - constant, stopped - constant))
        report(len(history), history[-1][1])
        number = int(np.argmax([each for _, each in history]))
        if number == len(history) - 1:
            best = flow
        if len(history) - 1 - number >= schedule.patience:
            break
    training, validation = np.array(history, np.float64).T
    return TrainedFlow(ConditionalFlow(shape, regression, best), training, validation)


def _rows(z: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates and features, one row for each data vector."""
    return np.repeat(z, features.shape[1], axis=0), features.reshape(-1, features.shape[2])


def _whitened(regression: Regression, z: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Residuals of the regression and scaled features."""
    scaled = regression.scaled(features)
    return regression.residuals(z, scaled), scaled


def _epochs(
    flow: Any,
    learning: tuple[np.ndarray, np.ndarray],
    stopping: tuple[np.ndarray, np.ndarray],
    schedule: Schedule,
    seed: int,
) -> Iterator[tuple[Any, float, float]]:
    """Flow after each epoch, and mean logarithms of the density of both sets."""
    batch = min(schedule.batch, len(learning[0]))
    steps = len(learning[0]) // batch
    rate = optax.cosine_decay_schedule(schedule.rate, schedule.epochs * steps)
    state, key = optax.scale_by_adam().init(_split(flow)[0]), jax.random.key(seed)
    rows, others = (tuple(map(jnp.asarray, each)) for each in (learning, stopping))
    for number in range(schedule.epochs):
        chosen = jax.random.permutation(jax.random.fold_in(key, number), len(rows[0]))[: steps * batch]
        rates = rate(number * steps + jnp.arange(steps))
        flow, state, learnt = _epoch(flow, state, rows, chosen.reshape(steps, batch), rates)
        yield flow, -float(learnt), -float(_loss(flow, *others))


def _split(flow: Any) -> tuple[Any, Any]:
    """Arrays that are learnt, and all else: masks, permutations and functions."""
    import paramax  # comes with flowjax

    return eqx.partition(flow, eqx.is_inexact_array, is_leaf=lambda leaf: isinstance(leaf, paramax.NonTrainable))


@eqx.filter_jit
def _loss(flow: Any, residuals: Array, scaled: Array) -> Array:
    return -jnp.mean(log_prob(flow, residuals, scaled))


@eqx.filter_jit
def _epoch(flow: Any, state: Any, rows: tuple[Array, ...], order: Array, rates: Array) -> tuple[Any, Any, Array]:
    """Flow and state of Adam after a pass through the data, and the mean loss during it."""
    weights, rest = _split(flow)
    adam = optax.scale_by_adam()

    def step(carried: Any, chosen: tuple[Array, Array]) -> Any:
        (weights, state), (place, rate) = carried, chosen
        loss = lambda weights: _loss(eqx.combine(weights, rest), *(each[place] for each in rows))  # noqa: E731
        value, slope = jax.value_and_grad(loss)(weights)
        change, state = adam.update(slope, state, weights)
        return (jax.tree.map(lambda old, along: old - rate * along, weights, change), state), value

    (weights, state), values = jax.lax.scan(step, (weights, state), (order, rates))
    return eqx.combine(weights, rest), state, values.mean()
