"""Tables of the ablation: accuracy of the compressors at each budget, and differences between them."""

from benchmarks.blocks import Result, block, rows_of, whole

Column = tuple[str, str]
"""The kind of film and the question family."""


def ablation(result: Result) -> str:
    """Show accuracy by budget, compressor, family and kind of film, the accuracy of the probe, and differences."""
    kinds = list(dict.fromkeys(one["shows"] for one in result["rows"]))
    asked = dict.fromkeys((one["shows"], one["family"]) for one in result["rows"])
    columns = sorted(asked, key=lambda column: kinds.index(column[0]))
    trained = max(count for stage in result["recipe"]["stages"] for count in stage["data"]["frames"])
    exam = result["exam"]
    lengths = ", ".join(map(str, exam["lengths"]))
    notes = [
        f"{result['runs']} of {result['planned']} runs, each trained on at most {trained} frames and asked about "
        f"{exam['clips']} films with few events in {exam['few_frames']} frames, and about {exam['clips']} scripts over "
        f"{lengths} frames; the result file has the figures of each length. 95 % intervals from resampling films, "
        "which are the same for all seeds. Named: share of cells of scripts that a linear probe names from the tokens "
        "at the end of training, with the lowest and the highest seed.",
        f"Trained with commits {', '.join(result['trained_with_commits'])}; "
        f"asked with {', '.join(result['asked_with_commits'])}.",
    ]
    heads = ("tokens per frame", "compressor", "seeds", *(f"{shows}: {family}" for shows, family in columns), "named")
    first = [rows_of(heads, _accuracies(result, columns)), "", *notes, "", "Differences between two compressors:", ""]
    return "\n".join(first) + "\n" + _differences(result)


def _accuracies(result: Result, columns: list[Column]) -> list[list[str]]:
    """Return one row per compressor, one with the chance level and one with the number of questions."""
    cells: dict[tuple[str, str], dict[Column, Result]] = {}
    for one in result["rows"]:
        compressor = (one["tokens_per_frame"], one["mixing"])
        cells.setdefault(compressor, {})[one["shows"], one["family"]] = one
    found = []
    for compressor, right in sorted(cells.items(), key=lambda item: -number(item[0][0])):
        any_of_it = next(iter(right.values()))
        shares = [whole(right[column]) for column in columns]
        found.append([*compressor, str(len(any_of_it["seeds"])), *shares, _named(any_of_it["named"])])
    guessed = [f"{right[column]['chance']:.0%}" for column in columns]
    asked = [str(right[column]["questions"] // len(right[column]["seeds"])) for column in columns]
    return [*found, ["", "*guessing*", "", *guessed, ""], ["", "*questions*", "", *asked, ""]]


def _named(by_seed: dict[str, float | None]) -> str:
    known = [share for share in by_seed.values() if share is not None]
    if not known:
        return "–"
    mean = f"{sum(known) / len(known):.0%}"
    return mean if len(known) == 1 else f"{mean} ({min(known):.0%}–{max(known):.0%})"


def _differences(result: Result) -> str:
    """Return the differences in points, by family and kind of film."""
    families = list(dict.fromkeys(one["family"] for one in result["differences"]))
    cells: dict[tuple[str, ...], dict[str, str]] = {}
    for one in sorted(result["differences"], key=lambda one: -number(one["tokens_per_frame"])):
        pair = f"{one['first']} → {one['second']}"
        about = (one["tokens_per_frame"], pair, one["shows"], str(len(one["seeds"])))
        cells.setdefault(about, {})[one["family"]] = _points(one)
    notes = [
        "Gain of the second over the first in points, paired by question and seed; scripts at all lengths together. "
        "The 95 % intervals come from resampling films and do not cover the variation between trainings, which the "
        "lowest and the highest seed in brackets show. Bold: the interval and all of several seeds are on one side of "
        "0. One in twenty intervals excludes 0 by chance. Rows of one budget add up if they have the same seeds."
    ]
    rows = [[*about, *(points.get(family, "–") for family in families)] for about, points in cells.items()]
    return block(("tokens per frame", "compressors", "films", "seeds", *families), rows, result, notes)


def _points(one: Result) -> str:
    """Format a difference as **+9.1 [3.0, 15.2]** (+5 to +14)."""
    if one["gained"] == one["lost"] == 0:
        return "no difference"
    low, high = (100 * bound for bound in one["interval"])
    each = [100 * value for value in one["each"].values()]
    found = f"{100 * one['difference']:+.1f} [{low:.1f}, {high:.1f}]"
    if len(each) == 1:
        return found
    sure = min(low, *each) > 0 or max(high, *each) < 0
    return f"{f'**{found}**' if sure else found} ({min(each):+.0f} to {max(each):+.0f})"


def number(text: str) -> float:
    """Parse a number such as "1/4"."""
    above, _, below = text.partition("/")
    return float(above) / float(below or 1)
