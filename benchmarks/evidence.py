"""Does evidence find where the answer is? The model's intervals beside the true ones of LongWatch.

    python -m benchmarks.evidence --suite runs/longwatch/short

Questions that the model answers wrongly say nothing about where it looked and are left out.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.measure import command, keep_result, machine, write_json
from longpanda.evaluate import accuracy
from longpanda.index import load
from longpanda.longwatch import FAMILIES
from longpanda.longwatch.folder import read_questions
from longpanda.longwatch.manifest import VIDEOS
from longpanda.longwatch.suite import SuitePlan
from longpanda.types import Answer, Reply, Sample, Score

MODEL = "nano-long"
RESULT = Path(__file__).parent / "results" / "evidence.json"
DRAWS = 200
Spans = Sequence[tuple[float, float]]


def overlap(found: Spans, true: Spans) -> float:
    """Intersection over union of two sets of intervals, each without overlaps of its own."""
    both = sum(max(0.0, min(a[1], b[1]) - max(a[0], b[0])) for a in found for b in true)
    either = sum(end - start for spans in (found, true) for start, end in spans) - both
    return both / either if either else 0.0


def meets(one: tuple[float, float], true: Spans) -> bool:
    """Does an interval share any time with a true one?"""
    return any(min(one[1], end) > max(one[0], start) for start, end in true)


def judged(answer: Answer, sample: Sample, rng: np.random.Generator) -> dict[str, float]:
    """What the evidence of one answer is worth, and what as many intervals of these lengths anywhere are."""
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
        "whole iou": overlap([(0.0, end)], true),
    }


def asked(model: str, suite: Path, families: list[str], most: int) -> list[tuple[Sample, dict[str, float] | None]]:
    """Every question that has evidence, and what the model's is worth where it answers rightly."""
    panda, rng, judgements = load(model), np.random.default_rng(0), []
    per_cell: dict[tuple[str, float], int] = {}
    videos: dict[str, list[Sample]] = {}
    for sample in read_questions(suite):
        cell = sample.family, sample.metadata["minutes"]
        if sample.family in families and sample.evidence_seconds and per_cell.get(cell, 0) < most:
            per_cell[cell] = per_cell.get(cell, 0) + 1
            videos.setdefault(sample.video, []).append(sample)
    for video, samples in tqdm(videos.items(), unit="video"):
        session = panda.watch(suite / VIDEOS / f"{video}.mp4")
        for sample in samples:
            answer = session.ask(sample.question, evidence=True)
            right = FAMILIES[sample.family].score(answer.text, sample) and answer.evidence
            judgements.append((sample, judged(answer, sample, rng) if right else None))
    return judgements


def main() -> None:
    """Ask, judge, write."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.evidence", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--suite", type=Path, required=True, help="what make wrote")
    parser.add_argument("--families", nargs="+", default=["needle", "count", "order", "state"])
    parser.add_argument("--most", type=int, default=100, help="questions per family and length")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    if options.model != MODEL:
        keep_result(parser, options.out, RESULT, f"--model {options.model}")
    cells: dict[tuple[str, float], list[tuple[Sample, dict[str, float] | None]]] = {}
    for sample, worth in asked(options.model, options.suite, options.families, options.most):
        cells.setdefault((sample.family, sample.metadata["minutes"]), []).append((sample, worth))
    rows = [row(*cell, found) for cell, found in cells.items()]
    rows.sort(key=lambda one: (options.families.index(one["family"]), one["minutes"]))
    about = {"machine": machine(), "command": command(parser, options), "suite": asdict(SuitePlan.read(options.suite))}
    write_json(options.out, {**about, "model": options.model, "rows": rows})


def row(family: str, minutes: float, found: list[tuple[Sample, dict[str, float] | None]]) -> dict[str, Any]:
    """Means over the questions of a cell that were answered rightly, with intervals clustered by video."""
    worth = [(sample, one) for sample, one in found if one is not None]
    values: dict[str, Any] = {}
    for name in worth[0][1] if worth else ():
        values[name] = asdict(accuracy([Score(one[name], Reply(""), sample) for sample, one in worth]))
    return {"family": family, "minutes": minutes, "questions": len(found), "right": len(worth), **values}


if __name__ == "__main__":
    main()
