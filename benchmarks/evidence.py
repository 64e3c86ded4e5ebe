"""Accuracy of evidence: the model's intervals against the true ones of LongWatch and random ones, at several rates.

    longpanda longwatch make --out runs/longwatch/evidence --split dev --families needle count order state \\
        --minutes 3 10 30 --per-cell 60 --size-px 224 --fps 1
    python -m benchmarks.evidence --suite runs/longwatch/evidence

Each video is indexed once per rate, in --work. Hits are counted among right answers only, because there is no correct
evidence for a wrong one. The result also counts how often an interval is given for a wrong answer, and for a question
about something that never appears.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.measure import command, keep_result, machine, write_json
from longpanda.evaluate import accuracy
from longpanda.inference import LongPanda, load
from longpanda.longwatch import FAMILIES
from longpanda.longwatch.folder import read_questions
from longpanda.longwatch.manifest import VIDEOS
from longpanda.longwatch.suite import SuitePlan
from longpanda.types import Answer, Reply, Sample, Score

MODEL = "nano-long"
RESULT = Path(__file__).parent / "results" / "evidence.json"
RATES = (1 / 7.5, 1.0)
"""Frames per second: the model's own rate, and that of docs/index.md for events of one second."""
BUDGET_TOKENS = 60_000
"""Enough for all groups of an hour at one frame per second."""
DRAWS = 200
Spans = Sequence[tuple[float, float]]


def overlap(found: Spans, true: Spans) -> float:
    """Return the intersection over union of two sets of disjoint intervals."""
    both = sum(max(0.0, min(a[1], b[1]) - max(a[0], b[0])) for a in found for b in true)
    either = sum(end - start for spans in (found, true) for start, end in spans) - both
    return both / either if either else 0.0


def meets(one: tuple[float, float], true: Spans) -> bool:
    """Whether an interval overlaps a true one."""
    return any(min(one[1], end) > max(one[0], start) for start, end in true)


@dataclass(frozen=True)
class Judged:
    """One answer with the marks of its evidence.

    Args:
        sample: the question.
        fps: sampled frames per second.
        is_right: whether the answer is right.
        worth: marks of the evidence by measure; None if no interval was given, or if there is no true one.
        is_given: whether an interval was given.
    """

    sample: Sample
    fps: float
    is_right: bool
    worth: dict[str, float] | None
    is_given: bool


def worth(answer: Answer, sample: Sample, rng: np.random.Generator) -> dict[str, float]:
    """Mark the evidence of one answer, and random intervals of the same number and lengths."""
    found = [(one.start_seconds, one.end_seconds) for one in answer.evidence]
    true, end = sample.evidence_seconds, answer.duration_seconds
    drawn = []
    for _ in range(DRAWS):
        starts = rng.uniform(0, [max(1e-9, end - (b - a)) for a, b in found])
        drawn.append([(start, start + b - a) for start, (a, b) in zip(starts, found, strict=True)])
    return {
        "evidence iou": overlap(found, true),
        "evidence hit": float(meets(found[0], true)),
        "chance iou": float(np.mean([overlap(spans, true) for spans in drawn])),
        "chance hit": float(np.mean([meets(spans[0], true) for spans in drawn])),
    }


def chosen(suite: Path, families: list[str], most: int) -> dict[str, list[Sample]]:
    """Return the first questions of each family and length, by video."""
    per_cell: dict[tuple[str, float], int] = {}
    videos: dict[str, list[Sample]] = {}
    for sample in read_questions(suite):
        cell = sample.family, sample.minutes
        if sample.family in families and per_cell.get(cell, 0) < most:
            per_cell[cell] = per_cell.get(cell, 0) + 1
            videos.setdefault(sample.video, []).append(sample)
    return videos


def asked(panda: LongPanda, suite: Path, videos: dict[str, list[Sample]], fps: float, work: Path) -> list[Judged]:
    """Ask all questions through an index at one rate."""
    rng, judged = np.random.default_rng(0), []
    folder = work / f"{suite.name}-{fps:.3f}"
    folder.mkdir(parents=True, exist_ok=True)
    for video, samples in tqdm(videos.items(), unit="video", desc=f"{fps:.3f} fps"):
        index = folder / f"{video}.vidx"
        panda.index(suite / VIDEOS / f"{video}.mp4", index, fps)
        session = panda.watch(index, budget_tokens=BUDGET_TOKENS)
        for sample in samples:
            answer = session.ask(sample.question, evidence=True)
            is_right = FAMILIES[sample.family].score(answer.text, sample) == 1
            is_given = bool(answer.evidence)
            value = worth(answer, sample, rng) if is_given and sample.evidence_seconds else None
            judged.append(Judged(sample, fps, is_right, value, is_given))
    return judged


def row(family: str, minutes: float, fps: float, judged: list[Judged]) -> dict[str, Any]:
    """Return the row of one family, length and rate: means over right answers, with intervals clustered by video."""
    shown = [one for one in judged if one.sample.evidence_seconds]
    right, wrong = ([one for one in shown if one.is_right is wanted] for wanted in (True, False))
    given = [(one.sample, one.worth) for one in right if one.worth is not None]
    absent = [one for one in judged if not one.sample.evidence_seconds]
    values: dict[str, Any] = {}
    for name in given[0][1] if given else ():
        values[name] = asdict(accuracy([Score(value[name], Reply(""), sample) for sample, value in given]))
    return {
        "family": family,
        "minutes": minutes,
        "fps": fps,
        "questions": len(shown),
        "right": len(right),
        "given": len(given),
        "wrong": len(wrong),
        "given wrong": sum(one.is_given for one in wrong),
        "absent": len(absent),
        "given absent": sum(one.is_given for one in absent),
        **values,
    }


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.evidence", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--suite", type=Path, required=True, help="folder of a suite")
    parser.add_argument("--families", nargs="+", default=["needle", "count", "order", "state"])
    parser.add_argument("--most", type=int, default=100, help="questions per family and length")
    parser.add_argument("--fps", type=float, nargs="+", default=list(RATES), help="sampled frames per second")
    parser.add_argument("--work", type=Path, default=Path("runs/evidence"), help="indexes are kept here")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--out", type=Path, default=RESULT)
    return parser


def main() -> None:
    """Ask, mark the evidence, and write the result."""
    options = (parser := arguments()).parse_args()
    if options.model != MODEL:
        keep_result(parser, options.out, RESULT, f"--model {options.model}")
    torch.set_num_threads(1)
    panda, plan = load(options.model), SuitePlan.read(options.suite)
    videos = chosen(options.suite, options.families, options.most)
    cells: dict[tuple[str, float, float], list[Judged]] = {}
    for fps in options.fps:
        for one in asked(panda, options.suite, videos, fps, options.work):
            cells.setdefault((one.sample.family, one.sample.minutes, fps), []).append(one)
    rows = [row(*cell, judged) for cell, judged in cells.items()]
    rows.sort(key=lambda one: (options.families.index(one["family"]), one["minutes"], one["fps"]))
    about = {"machine": machine(), "command": command(parser, options), "suite": asdict(plan)}
    write_json(options.out, {**about, "model": options.model, "rows": rows})


if __name__ == "__main__":
    main()
