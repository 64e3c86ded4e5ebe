"""Accuracy of the bundled long model on suites from 3 to 120 minutes, and on needles in up to 10,000 frames.

    longpanda longwatch make --out runs/longwatch/one --families needle order count state --size-px 224 --fps 1
    python -m benchmarks.long_nano --suites runs/longwatch/one
    python -m benchmarks.long_nano --only needle

Scores are compared with the chance level. Every video of a suite is asked through its index, kept in --work; scenes
with needles are rendered on the fly. Every answer is written to disk at once: run the command again to continue. A
result holds the plans of its suites, from which `longwatch make` makes the same questions again. On one AMD EPYC core,
40 films take 2 minutes with 1,000 frames each, 8 with 3,000, and 55 with 10,000.
"""

import argparse
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from benchmarks.measure import command, keep_result, machine, write_json
from benchmarks.rendered import Rendered, film, identity, questions
from longpanda.evaluate import Answerer, Ask, Records, accuracy, read_records, run
from longpanda.evaluate.analysis import by_depth, by_minutes, chance, effective_minutes
from longpanda.harness.identity import suite_sha256
from longpanda.inference import LongPanda, load
from longpanda.longwatch import Split, scene_seed
from longpanda.longwatch.choices import mark
from longpanda.longwatch.folder import read_questions
from longpanda.longwatch.limits import SCENES_PER_SEED
from longpanda.longwatch.manifest import VIDEOS
from longpanda.longwatch.suite import SuitePlan
from longpanda.types import Sample, Score

MODEL = "nano-long"
FPS = 1 / 7.5
FAMILIES = ("needle", "order", "count", "state")
FRAMES = (1000, 3000, 10_000)
NEEDLE_MINUTES = 120.0
NEEDLE_FIRST = (SCENES_PER_SEED - 1) * SCENES_PER_SEED
"""First of the test scripts that belong to the last seed, which no suite should use."""
RESULTS = Path(__file__).parent / "results"
SUITE_RESULT, NEEDLE_RESULT = RESULTS / "long_nano_suite.json", RESULTS / "long_nano_needle.json"
Row = dict[str, Any]


class Indexed:
    """A model that answers from the index of a video, which it makes or completes first.

    Args:
        panda: the model.
        videos: folder of the films.
        indexes: folder of their indexes.
        fps: sampled frames per second.
    """

    def __init__(self, panda: LongPanda, videos: Path, indexes: Path, fps: float) -> None:
        self.panda, self.videos, self.indexes, self.fps = panda, videos, indexes, fps
        indexes.mkdir(parents=True, exist_ok=True)

    def watch(self, video: str) -> Ask:
        """Complete the index of a video, and open it."""
        folder = self.indexes / f"{video}.vidx"
        self.panda.index(self.videos / f"{video}.mp4", folder, self.fps)
        session = self.panda.watch(folder)
        return lambda sample: session.ask(sample.question).reply


def asked(answerer: Answerer, samples: Sequence[Sample], path: Path, configuration: Row) -> list[Score]:
    """Return all scores; questions with an answer in the file are not asked again."""
    with closing(Records(path, configuration)) as records:
        missing = records.missing(list(samples))
        bar = tqdm(
            run(answerer, missing, mark), total=len(samples), initial=len(samples) - len(missing), desc=path.stem
        )
        for score in bar:
            records.add(score)
    return read_records(path)[1]


def on_suite(panda: LongPanda, suite: Path, work: Path, fps: float) -> list[Score]:
    """Ask a model the questions of a suite, from the families that it was trained on."""
    samples = [sample for sample in read_questions(suite) if sample.family in FAMILIES]
    answerer = Indexed(panda, suite / VIDEOS, work / "indexes" / suite.name, fps)
    configuration = {"suite": suite_sha256(suite), "fps": fps, **identity(panda)}
    return asked(answerer, samples, work / f"{suite.name}.jsonl", configuration)


def suite_rows(scores: Sequence[Score]) -> list[Row]:
    """Return accuracy at each length, chance level and effective length by family."""
    rows = []
    for family in FAMILIES:
        own = [score for score in scores if score.sample.family == family]
        if own:
            lengths = {minutes: accuracy(group) for minutes, group in by_minutes(own).items()}
            effective = effective_minutes(lengths, guess := chance(own))
            shown = [{"minutes": minutes, **asdict(one)} for minutes, one in lengths.items()]
            rows.append({"family": family, "chance": guess, "effective_minutes": effective, "lengths": shown})
    return rows


def on_needles(panda: LongPanda, frames: int, videos: int, work: Path, minutes: float = NEEDLE_MINUTES) -> list[Score]:
    """Ask about numbers on cards that are visible in two or three of `frames` frames, one card per fifth of a film."""
    step_seconds = 60 * minutes / frames
    films = [film(scene_seed(Split.TEST, NEEDLE_FIRST + i), frames, step_seconds) for i in range(videos)]
    every = [sample for scene, _ in films for sample in questions(scene, ("needle",), minutes=minutes, frames=frames)]
    configuration = {"frames": frames, "minutes": minutes, **identity(panda)}
    shown = [sample for sample in every if sample.evidence_seconds]
    return asked(Rendered(panda, films), shown, work / f"needle-{frames}.jsonl", configuration)


def needle_row(frames: int, scores: Sequence[Score]) -> Row:
    """Return accuracy over all depths and at each, and the number of tokens per frame."""
    tokens = {score.reply.visual_tokens for score in scores if score.error is None}
    depths = {f"{depth:g}": asdict(one) for (_, depth), one in sorted(by_depth(scores).items())}
    per_frame = max((count for count in tokens if count is not None), default=0) / frames
    return {"frames": frames, "tokens_per_frame": per_frame, "all": asdict(accuracy(scores)), "depths": depths}


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.long_nano", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--suites", type=Path, nargs="+", default=[], help="folders of suites")
    parser.add_argument("--only", choices=["suite", "needle"], help="skip the other")
    parser.add_argument("--fps", type=float, default=FPS, help="sampled frames per second of a suite's videos")
    parser.add_argument("--frames", type=int, nargs="+", default=list(FRAMES), help="frames of films with needles")
    parser.add_argument("--videos", type=int, default=40, help="films per number of frames, each with five needles")
    parser.add_argument("--work", type=Path, default=Path("runs/long_nano"), help="answers and indexes are kept here")
    parser.add_argument("--suite-out", type=Path, default=SUITE_RESULT)
    parser.add_argument("--needle-out", type=Path, default=NEEDLE_RESULT)
    return parser


def main() -> None:
    """Ask the missing questions, and write the results."""
    options = (parser := arguments()).parse_args()
    wanted = [options.only] if options.only else ["suite", "needle"]
    if "suite" in wanted and not options.suites:
        parser.error("no --suites; make one as shown above, or give --only needle")
    if options.model != MODEL:
        for name, out, result in (
            ("suite", options.suite_out, SUITE_RESULT),
            ("needle", options.needle_out, NEEDLE_RESULT),
        ):
            if name in wanted:
                keep_result(parser, out, result, f"--model {options.model}")
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    panda = load(options.model)
    about = {"machine": machine(), "command": command(parser, options), "model": options.model}
    if "suite" in wanted:
        scores = [score for suite in options.suites for score in on_suite(panda, suite, options.work, options.fps)]
        plans = [asdict(SuitePlan.read(suite)) for suite in options.suites]
        write_json(options.suite_out, about | {"fps": options.fps, "suites": plans, "rows": suite_rows(scores)})
    if "needle" in wanted:
        rows: list[Row] = []
        for frames in options.frames:
            rows.append(needle_row(frames, on_needles(panda, frames, options.videos, options.work)))
            print(frames, rows[-1]["all"], flush=True)
            write_json(options.needle_out, about | {"minutes": NEEDLE_MINUTES, "rows": rows})


if __name__ == "__main__":
    main()
