"""Draw results as a picture for papers and slides; needs `longpanda[plots]`."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any, Final

from longpanda.errors import ConfigError
from longpanda.evaluate import colours
from longpanda.evaluate.cells import length_text
from longpanda.evaluate.metrics import Accuracy
from longpanda.evaluate.summary import FamilySummary, Summary

COLUMNS: Final = 4
"""Number of columns of curves."""
_MARKERS: Final = ("o", "D")
_WIDTH, _DPI = 10.5, 200
"""Width of the picture in inches, and dots per inch."""
_ROW_STEP: Final = 0.36
"""Distance between two models in one row, as a share of its height."""
_GRID: Final = "#e3e8ee"
_CHANCE: Final[dict[str, Any]] = {"color": "#56616f", "linestyle": ":", "linewidth": 1.2}


def draw(models: Sequence[Summary]) -> bytes:
    """Draw accuracy by family and length as PNG.

    For several lengths, there is a heat map per model above the curves of all models; for a single length, one row per
    family.

    Args:
        models: one or two models.

    Raises:
        ConfigError: there is no model, for example because none answered anything, or matplotlib is missing.
    """
    if not models:
        remedy = "run the same command again, which asks the unanswered questions"
        raise ConfigError("no answer that could be drawn", "at least one", remedy)
    matplotlib = _matplotlib()
    names = list(dict.fromkeys(one.name for model in reversed(models) for one in model.rows))
    is_one_length = len({minutes for model in models for minutes in model.minutes}) == 1
    figure = (_of_one_length if is_one_length else _of_lengths)(matplotlib, models, names)
    figure.savefig(picture := BytesIO(), format="png", metadata={"Software": None})
    return picture.getvalue()


def _of_lengths(matplotlib: Any, models: Sequence[Summary], names: Sequence[str]) -> Any:
    levels, rows = -(-len(names) // COLUMNS), max(len(model.rows) for model in models)
    heights = [0.6 + 0.42 * rows, 2.3 * levels]
    figure = matplotlib.figure.Figure(figsize=(_WIDTH, sum(heights) + 0.4), dpi=_DPI, layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=heights)
    for model, axes in zip(models, above.subplots(1, len(models), squeeze=False)[0], strict=True):
        _heat_map(matplotlib, axes, model)
    grid = list(below.subplots(levels, COLUMNS, squeeze=False, sharey=True).flat)
    for axes in grid:
        axes.set_axis_off()
    for name, axes in zip(names, grid, strict=False):
        _curves(axes, name, models)
    below.supxlabel("minutes of video", fontsize=9)
    below.supylabel("exactly right", fontsize=9)
    _legend(below, grid[: len(names)], models)
    return figure


def _of_one_length(matplotlib: Any, models: Sequence[Summary], names: Sequence[str]) -> Any:
    """Draw one row per family, with the accuracy of every model, its interval and the chance level."""
    height = 1.2 + (0.12 + 0.2 * len(models)) * len(names)
    figure = matplotlib.figure.Figure(figsize=(_WIDTH, height), dpi=_DPI, layout="constrained")
    axes = figure.subplots()
    families = [{one.name: one for one in model.rows} for model in models]
    for y, name in enumerate(names):
        guess = next(known[name].chance for known in families if name in known)
        axes.vlines(guess, y - 0.4, y + 0.4, label="chance", **_CHANCE)
        for place, known in enumerate(families):
            if name in known:
                _row(axes, y + _ROW_STEP * (place - (len(models) - 1) / 2), place, models[place], known[name].exact)
    axes.set_xlim(-0.01, 1.01)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), [_literal(name) for name in names])
    axes.tick_params(labelsize=9)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=_GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlabel(f"exactly right, videos of {length_text(models[0].minutes[0])}", fontsize=9)
    _legend(figure, [axes], models)
    return figure


def _row(axes: Any, y: float, place: int, model: Summary, one: Accuracy) -> None:
    """Draw accuracy and interval, and write them at the right edge."""
    colour = colours.MODELS[place]
    axes.hlines(y, *one.interval, color=colour, linewidth=1.6)
    axes.plot(
        [one.value], [y], color=colour, marker=_MARKERS[place], markersize=5, linewidth=1.6, label=_literal(model.name)
    )
    low, high = one.interval
    words = f"{one.value:.1%}  ({100 * low:.0f} to {100 * high:.0f})"
    axes.text(1.02, y, words, transform=axes.get_yaxis_transform(), va="center", fontsize=8, color=colour)


def _legend(figure: Any, panels: Sequence[Any], models: Sequence[Summary]) -> None:
    """Draw a legend of the models, in order, and chance."""
    known = {text: handle for axes in panels for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)}
    order = [*(_literal(model.name) for model in models), "chance"]
    handles = [known[name] for name in order]
    figure.legend(handles=handles, loc="outside upper right", ncols=3, frameon=False, fontsize=9)


def _matplotlib() -> Any:
    try:
        import matplotlib.colors
        import matplotlib.figure
    except ImportError as error:
        remedy = "run: pip install 'longpanda[plots]'"
        raise ConfigError("no matplotlib, which draws the picture", "matplotlib", remedy) from error
    return matplotlib


def _heat_map(matplotlib: Any, axes: Any, model: Summary) -> None:
    rows = model.rows
    nothing = float("nan")
    shares = [[nothing if one is None else one.value for one in row.cells] for row in rows]
    ramp = matplotlib.colors.LinearSegmentedColormap.from_list("shares", colours.LIGHT)
    axes.imshow(shares, cmap=ramp, vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(model.minutes)), [f"{minutes:g} min" for minutes in model.minutes])
    axes.set_yticks(range(len(rows)), [f"{_literal(row.name)} (chance {row.chance:.0%})" for row in rows])
    axes.xaxis.tick_top()
    axes.tick_params(length=0, labelsize=9)
    axes.spines[:].set_visible(False)
    axes.set_xticks([place - 0.5 for place in range(1, len(model.minutes))], minor=True)
    axes.set_yticks([place - 0.5 for place in range(1, len(rows))], minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="minor", length=0)
    axes.set_title(model.name, fontsize=11, fontweight="bold", loc="left", parse_math=False)
    for y, row in enumerate(rows):
        for x, one in enumerate(row.cells):
            if one is not None:
                axes.text(x, y, _words(one), ha="center", va="center", fontsize=7, color=colours.shade(one.value)[1])


def _literal(text: str) -> str:
    """Escape a name so that matplotlib does not take it for a formula."""
    return text.replace("$", r"\$")


def _words(one: Accuracy) -> str:
    low, high = one.interval
    return f"{one.value:.1%}\n{100 * low:.0f} to {100 * high:.0f}"


def _curves(axes: Any, name: str, models: Sequence[Summary]) -> None:
    """Draw accuracy over minutes for one family, with intervals and chance."""
    axes.set_axis_on()
    lengths = sorted({minutes for model in models for minutes in model.minutes})
    families = [(place, model, one) for place, model in enumerate(models) for one in model.rows if one.name == name]
    for place, model, family in families:
        _curve(axes, place, model, family)
    axes.axhline(families[0][2].chance, label="chance", **_CHANCE)
    axes.set_xscale("log")
    axes.set_xlim(lengths[0] / 1.2, lengths[-1] * 1.2)
    axes.set_xticks(lengths, [f"{minutes:g}" for minutes in lengths], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_ylim(-0.02, 1.02)
    axes.set_yticks([0, 0.5, 1], ["0%", "50%", "100%"])
    axes.set_title(name, fontsize=9, fontweight="bold", loc="left", parse_math=False)
    axes.tick_params(labelsize=8)
    axes.grid(axis="y", color=_GRID)
    axes.spines[["top", "right"]].set_visible(False)


def _curve(axes: Any, place: int, model: Summary, family: FamilySummary) -> None:
    known = [(minutes, one) for minutes, one in zip(model.minutes, family.cells, strict=True) if one is not None]
    minutes, values = [length for length, _ in known], [one.value for _, one in known]
    lows, highs = [one.interval[0] for _, one in known], [one.interval[1] for _, one in known]
    colour = colours.MODELS[place]
    axes.plot(
        minutes, values, color=colour, marker=_MARKERS[place], markersize=4, linewidth=1.6, label=_literal(model.name)
    )
    if len(known) > 1:
        axes.fill_between(minutes, lows, highs, color=colour, alpha=0.16, linewidth=0)
    else:
        axes.vlines(minutes, lows, highs, color=colour, linewidth=1.4)
