"""Loss of a training against the epoch."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lenscast.plotting.style import COLOURS, grid, note, styled

LINES = ("-", "--", "-.", ":")


@styled
def loss_curves(history: pd.DataFrame) -> Figure:
    """Loss of each reference against the epoch, and their mean.

    Parameters
    ----------
    history
        Columns epoch (from 1), reference and loss, one row for each reference and epoch.
    """
    figure, axes = grid(1, 1, (6.4, 4.0))
    panel = axes[0, 0]
    table = history.pivot(index="epoch", columns="reference", values="loss")[history["reference"].unique()]
    marker = "o" if len(table) < 20 else None
    for number, (name, losses) in enumerate(table.items()):
        colour, line = COLOURS[number % (len(COLOURS) - 1)], LINES[number // (len(COLOURS) - 1) % len(LINES)]
        panel.plot(table.index, losses, line, color=colour, marker=marker, label=str(name).replace("_", " "))
    if len(table.columns) > 1:
        panel.plot(table.index, table.mean(axis=1), color=COLOURS[-1], linewidth=2.2, label="mean of references")
    panel.set(yscale="log", xlabel="epoch", ylabel="loss")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    panel.legend()
    first, last = table.mean(axis=1).iloc[[0, -1]]
    panel.set_title(f"mean loss from {first:.3g} to {last:.3g} in {len(table)} epochs")
    note(figure, "The loss of a reference is computed before the weights take its step in the epoch.")
    return figure
