"""The measured tables of README.md and docs/benchmarks.md, written from benchmarks/results/*.json.

    python -m benchmarks.tables            # rewrite what is out of date
    python -m benchmarks.tables --check    # change nothing, exit 1 when something is

A table stands between a line `<!-- begin: NAME -->` and a line `<!-- end: NAME -->`; NAME is that of a result file.
"""

import argparse
import json
import re
import shlex
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from longpanda.longwatch.commands import remaking
from longpanda.longwatch.suite import SuitePlan

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/benchmarks.md", "docs/longwatch.md")
MARKER = re.compile(r"^<!-- (begin|end): (\S+) -->$")
STAGES = {
    "import_and_load": "start Python, load the model",
    "decode": "decode the frames",
    "encode_frames": "frames to visual tokens",
    "generate": "first answer",
    "second_question": "each further question",
}
Result = dict[str, Any]


def nano_scores(result: Result) -> str:
    """Accuracy by question family, beside the same model without frames, and chance."""
    families: dict[str, Result] = result["families"]
    rows = [
        [
            name,
            str(one["questions"]),
            _accuracy(one["accuracy"], one["interval"]),
            _accuracy(one["blind_accuracy"], one["blind_interval"]),
            f"{one['chance']:.1%}",
        ]
        for name, one in families.items()
    ]
    errors = sum(one.get("errors", 0) for one in families.values())
    notes = [f"Right answers with 95 % intervals (clustered by video); questions without any answer: {errors}."]
    return _block(("family", "questions", "with the video", "without frames", "chance"), rows, result, notes)


def ask_cpu(result: Result) -> str:
    """Seconds by stage of asking one video."""
    rows = [[STAGES.get(stage, stage), f"{seconds:.2f}"] for stage, seconds in result["stages"].items()]
    rows.append(["peak memory of the process", f"{result['peak_memory_bytes'] / 2**20:.0f} MiB"])
    length = f"A video of {result['video_seconds']:.0f} s"
    looked = (
        f", read at {result['frames']} frames, {result['visual_tokens']} visual tokens" if "frames" in result else ""
    )
    return _block(("stage", "seconds"), rows, result, [f"{length}{looked}; medians."])


def stab(result: Result) -> str:
    """Time, operations and memory per frame of each encoder, and its ratio to STAB's fast form."""
    columns = ("encoder", "wall ms", "CPU ms", "x wall", "x CPU", "GFLOP", "M parameters", "tokens", "peak GiB")
    rows = []
    for one in result["measurements"]:
        ratio, facts = result["ratios_to_baseline"][one["name"]], one["facts"]
        times = [f"{1e3 * one['wall_seconds']:.1f}", f"{1e3 * one['cpu_seconds']:.1f}"]
        ratios = [f"{ratio[kind]:.2f}" if ratio[kind] < 10 else f"{ratio[kind]:.0f}" for kind in ("wall", "cpu")]
        sizes = [f"{facts['flops_per_frame'] / 1e9:.1f}", f"{facts['parameters'] / 1e6:.1f}"]
        peak = (one["peak_device_bytes"] or one["peak_rss_bytes"]) / 2**30
        rows.append([one["name"], *times, *ratios, *sizes, str(facts["tokens_per_frame"]), f"{peak:.2f}"])
    notes = [f"Per frame, medians of interleaved rounds on a shared machine; x is the ratio to *{result['baseline']}*."]
    return _block(columns, rows, result, notes)


def longwatch_scores(result: Result) -> str:
    """A model by family and length, with all, eight, one and no frames, beside constants, words and the oracle."""
    columns = ("family", "minutes", "best constant", "words", "no frames", "1 frame", "8 frames", "all its frames")
    rows = []
    for one in result["rows"]:
        shares = [f"{one[name]:.0%}" for name in ("constant", "words")]
        few = [f"{one[name]['value']:.0%}" if one[name] else "–" for name in ("none", "one", "eight")]
        rows.append([one["family"], f"{one['minutes']:g}", *shares, *few, _whole(one["all"]), _seen(one)])
    asked = sum(one["all"]["questions"] for one in result["rows"])
    fewest = min(one["all"]["questions"] for one in result["rows"])
    notes = [
        f"{result['model']}, {asked} questions, at least {fewest} in each row; 95 % intervals clustered by script.",
        "Best constant and words: on 5,000 other questions. No frames: the likeliest of the family's answers, where "
        "these are a closed set. Evidence seen: questions of which the frames show every interval of the evidence.",
        f"Asked with commit {' and '.join(one[:12] for one in result['asked_with_commits'])}.",
        _suites(result),
    ]
    return _block((*columns, "evidence seen"), rows, result, notes)


def longwatch_audit(result: Result) -> str:
    """Every control of every family and length, and what breaks its bound."""
    names = [*result["rows"][0]["controls"], "twice", "padded", "oracle"]
    rows = []
    for one in result["rows"]:
        shares = one["controls"] | one["invariances"] | {"oracle": one["oracle"]}
        shown = ["–" if name not in shares else f"{shares[name]:.0%}" for name in names]
        guessed = [f"{one[name]:.0%}" for name in ("chance", "text_only")]
        known = [one["family"], f"{one['minutes']:g}", str(one["questions"])]
        rows.append([*known, *guessed, *shown, "; ".join(one["broken"]) or "holds"])
    columns = ("family", "minutes", "questions", "constant", "words", *names, "bounds")
    return _block(columns, rows, result, [_suites(result)])


def _whole(one: Result) -> str:
    low, high = one["interval"]
    return f"{one['value']:.0%} [{low:.0%}, {high:.0%}]"


def _seen(one: Result) -> str:
    return "–" if one["evidence_seen"] is None else f"{one['evidence_seen']:.0%}"


def _suites(result: Result) -> str:
    """How the suites were made."""
    plans = [
        SuitePlan(**plan | {name: tuple(plan[name]) for name in ("minutes", "families")})
        for plan in result["suites"].values()
    ]
    commands = [shlex.join(remaking(plan, "suite")) for plan in plans]
    return f"Suites: {' and '.join(f'`{command}`' for command in commands)}."


def film_cpu(result: Result) -> str:
    """CPU seconds, memory and bytes of one film of each room."""
    rows = [
        [
            one["room"],
            f"{one['minutes']:g}",
            str(one["frames"]),
            f"{one['cpu_seconds']:.0f}",
            f"{one['peak_rss_bytes'] / 2**20:.0f} MiB",
            f"{one['file_bytes'] / 1e6:.0f} MB",
        ]
        for one in result["films"]
    ]
    first = result["films"][0]
    notes = [f"One film of each room at {first['size_px']} px and {first['fps']:g} frames per second, one thread."]
    return _block(("room", "minutes", "frames", "CPU seconds", "peak memory", "file"), rows, result, notes)


def scan_cpu(result: Result) -> str:
    """CPU time per token of the scan and the mixer, beside transformers' torch path."""
    rows, mine = [], 1.0
    for one in result["measurements"]:
        part, _, whose = one["name"].partition(": ")
        mine = one["cpu_seconds"] if whose == "ours" else mine
        peak = (one["peak_rss_bytes"] - one["rss_before_build_bytes"]) / 2**20
        times = [f"{1e6 * one['cpu_seconds']:.0f}", f"{one['cpu_seconds'] / mine:.1f}"]
        rows.append([f"{part}: {whose}", *times, f"{peak:.0f} MiB"])
    notes = ["4,096 tokens in float32; medians of interleaved rounds. Memory is all that the process took to run."]
    return _block(("", "CPU us per token", "x ours", "memory"), rows, result, notes)


def scan_lengths_cpu(result: Result) -> str:
    """CPU time per token and extra memory of one scan, by length."""
    rows = []
    for one in result["measurements"]:
        extra = one["peak_rss_bytes"] - one["rss_before_build_bytes"] - one["facts"]["output_bytes"]
        micro = f"{1e6 * one['cpu_seconds']:.0f}"
        rows.append([f"{one['facts']['tokens']:,}", micro, f"{extra / 2**20:.0f} MiB"])
    notes = ["One call each, in bfloat16 with sums in float32. Memory beside the output, libraries loaded included."]
    return _block(("tokens", "CPU us per token", "extra memory"), rows, result, notes)


def long_nano_suite(result: Result) -> str:
    """A model by family and length, what guessing gets, and up to which length it keeps what it had."""
    minutes = sorted({one["minutes"] for row in result["rows"] for one in row["lengths"]})
    rows = []
    for row in result["rows"]:
        shown = {one["minutes"]: _whole(one) for one in row["lengths"]}
        effective = f"{row['effective_minutes']:g}" if row["effective_minutes"] else "none"
        rows.append([row["family"], *(shown.get(m, "–") for m in minutes), f"{row['chance']:.0%}", effective])
    asked = sum(one["questions"] for row in result["rows"] for one in row["lengths"])
    errors = sum(one["errors"] for row in result["rows"] for one in row["lengths"])
    notes = [
        f"{result['model']}, one frame every {1 / result['fps']:.3g} s, through an index; {asked} questions, "
        f"{errors} without any answer. 95 % intervals clustered by script.",
        "Effective: up to this many minutes 85 % of the way from chance to the score at the shortest length is kept.",
    ]
    columns = ("family", *(f"{m:g} min" for m in minutes), "chance", "effective minutes")
    return _block(columns, rows, result, notes)


def long_nano_needle(result: Result) -> str:
    """Needles by number of frames and depth."""
    depths = list(dict.fromkeys(depth for row in result["rows"] for depth in row["depths"]))
    rows = []
    for row in result["rows"]:
        shown = [f"{row['depths'][depth]['value']:.0%}" if depth in row["depths"] else "–" for depth in depths]
        share = _accuracy(row["all"]["value"], row["all"]["interval"])
        rows.append([f"{row['frames']:,}", f"{row['tokens_per_frame']:.3g}", *shown, share, str(row["all"]["errors"])])
    questions = " and ".join(sorted({str(row["all"]["questions"]) for row in result["rows"]}))
    notes = [
        f"{result['model']}, films of {result['minutes']:g} minutes, {questions} questions in each row; every card "
        "shows in two or three frames, one that is asked about in each fifth. 95 % intervals clustered by film."
    ]
    columns = ("frames", "tokens per frame", *(f"from {float(d):.0%}" for d in depths), "all depths", "errors")
    return _block(columns, rows, result, notes)


def ablation(result: Result) -> str:
    """Compressors of one budget beside each other, by family and length."""
    frames = sorted({one["frames"] for row in result["rows"] for one in row["lengths"]})
    rows = []
    for row in result["rows"]:
        shown = {one["frames"]: _over_seeds(one) for one in row["lengths"]}
        cells = [shown.get(count, "–") for count in frames]
        rows.append([row["tokens_per_frame"], row["family"], row["mixing"], *cells, f"{row['chance']:.0%}"])
    order = {text: i for i, text in enumerate(dict.fromkeys(row["family"] for row in result["rows"]))}
    rows.sort(key=lambda row: (-_number(row[0]), order[row[1]]))
    trained = max(count for stage in result["recipe"]["stages"] for count in stage["frames"])
    notes = [
        f"{result['runs']} runs, {result['exam']['clips']} clips of each length; trained on at most {trained} frames. "
        "95 % intervals clustered by clip, over all seeds; in brackets the lowest and the highest seed."
    ]
    columns = ("tokens per frame", "family", "compressor", *(f"{count} frames" for count in frames), "chance")
    return _block(columns, rows, result, notes)


def _over_seeds(one: Result) -> str:
    low, high = min(one["each"].values()), max(one["each"].values())
    return f"{_whole(one)} ({low:.0%}–{high:.0%})"


def _number(text: str) -> float:
    """Of "1/4", for example."""
    above, _, below = text.partition("/")
    return float(above) / float(below or 1)


TABLES: dict[str, Callable[[Result], str]] = {
    "long_nano_suite": long_nano_suite,
    "long_nano_needle": long_nano_needle,
    "ablation": ablation,
    "scan_cpu": scan_cpu,
    "scan_lengths_cpu": scan_lengths_cpu,
    "nano_scores": nano_scores,
    "ask_cpu": ask_cpu,
    "stab_cpu": stab,
    "stab_forms_cpu": stab,
    "stab_cuda": stab,
    "longwatch_scores": longwatch_scores,
    "longwatch_audit": longwatch_audit,
    "film_cpu": film_cpu,
}
"""What may stand between markers: how each result file is shown."""
SUITES = {
    "long_nano_suite": "long_nano",
    "long_nano_needle": "long_nano",
    "ablation": "ablation",
    "scan_cpu": "scan",
    "scan_lengths_cpu": "scan",
    "nano_scores": "nano",
    "ask_cpu": "ask",
    "film_cpu": "film",
    "longwatch_scores": "longwatch",
    "longwatch_audit": "longwatch",
}
"""What writes each, where that is not `benchmarks.stab`."""


def _accuracy(value: float, interval: list[float]) -> str:
    return f"{value:.1%} [{interval[0]:.1%}, {interval[1]:.1%}]"


def _block(columns: tuple[str, ...], rows: Iterable[list[str]], result: Result, notes: list[str]) -> str:
    """A markdown table, what it says, where it was taken, and how to take it again."""
    numbers = len(columns) - 1
    lines = ["| " + " | ".join(cells) + " |" for cells in (columns, ["---"] + ["---:"] * numbers, *rows)]
    return "\n".join([*lines, "", *notes, f"Measured on {machine(result['machine'])}: `{result['command']}`."])


def machine(found: Result) -> str:
    """One phrase for the dict of `benchmarks.measure.machine`."""
    parts = [
        found.get("accelerator"),
        f"{found['cpus']} CPUs ({found['processor']})",
        f"{found['memory_bytes'] / 2**30:.0f} GiB",
        f"torch {found['torch']}",
        f"commit {found['commit']}" if found.get("commit") else None,
    ]
    return ", ".join(part for part in parts if part)


def written(name: str, results: Path) -> str:
    """The text of a block.

    Raises:
        ValueError: no table of this name.
    """
    if name not in TABLES:
        raise ValueError(f"unknown table '{name}'; known: {', '.join(TABLES)}")
    path = results / f"{name}.json"
    if not path.is_file():
        suite = SUITES.get(name, "stab")
        return f"*Not measured yet: `python -m benchmarks.{suite}` writes this table's numbers.*"
    return TABLES[name](json.loads(path.read_text()))


def renewed(page: str, results: Path) -> str:
    """A page with every block written anew; all other text stays.

    Raises:
        ValueError: an unknown table, or markers that do not pair.
    """
    out: list[str] = []
    inside: str | None = None
    for line in page.splitlines():
        kind, name = match.groups() if (match := MARKER.match(line)) else (None, None)
        if kind == "begin" and inside is None and name is not None:
            inside = name
            out += [line, written(name, results)]
        elif kind == "end" and name == inside:
            inside = None
            out.append(line)
        elif kind is not None:
            raise ValueError(f"'{line}' does not pair; open block: {inside}")
        elif inside is None:
            out.append(line)
    if inside is not None:
        raise ValueError(f"the block '{inside}' has no end")
    return "\n".join(out) + "\n"


def stale(root: Path = ROOT) -> list[Path]:
    """Pages whose tables differ from the results."""
    results = root / "benchmarks" / "results"
    pages = [root / page for page in PAGES if (root / page).is_file()]
    return [page for page in pages if renewed(page.read_text(), results) != page.read_text()]


def main() -> int:
    """Rewrite or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 when a table is out of date")
    options = parser.parse_args()
    pages = stale()
    for page in pages:
        print(f"{page.relative_to(ROOT)}: {'out of date, run make tables' if options.check else 'written'}")
        if not options.check:
            page.write_text(renewed(page.read_text(), ROOT / "benchmarks" / "results"))
    return int(options.check and bool(pages))


if __name__ == "__main__":
    sys.exit(main())
