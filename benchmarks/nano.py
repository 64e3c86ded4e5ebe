"""Accuracy of the bundled model on held-out 3-minute videos, by family, against the same model without frames.

    python -m benchmarks.nano --videos 200 --questions 200 --films runs/films

The videos are MP4 files, which are filmed first and kept in --films.
"""

import argparse
import hashlib
import json
import os
import re
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.measure import command, keep_result, machine, write_json
from longpanda.errors import ConfigError
from longpanda.evaluate import Accuracy, Ask, accuracy, run
from longpanda.inference import LongPanda, load
from longpanda.longwatch import FAMILIES, Scene, Split, frame_hash, generate, read_scene, render, scene_seed
from longpanda.longwatch.film import film
from longpanda.types import Reply, Sample, Score

MODEL = "nano"
SECONDS, FPS = 180.0, 1.0
ROOM = ("needle", "order", "count", "state")
"""The families with questions about videos without a script."""
BLIND_SCENES = 1000
RESULT = Path(__file__).parent / "results" / "nano_scores.json"


class Watching:
    """The model, watching MP4 files."""

    def __init__(self, panda: LongPanda, folder: Path) -> None:
        self.panda, self.folder = panda, folder

    def watch(self, video: str) -> Ask:
        """Open the film of a scene."""
        session = self.panda.watch(self.folder / f"{video}.mp4")
        return lambda sample: session.ask(sample.question).reply


class Blind:
    """The same model without frames: it picks the likeliest of the answers that the question allows.

    With free text this control would be too weak: without frames the model writes no valid answer and scores below
    chance.
    """

    def __init__(self, panda: LongPanda, samples: list[Sample]) -> None:
        self.panda = panda
        self.choices = {sample.question: choices(sample) for sample in samples}

    def watch(self, video: str) -> Ask:  # noqa: ARG002
        """Ignore the video."""
        return self._ask

    def _ask(self, sample: Sample) -> Reply:
        question = sample.question
        processor, allowed = self.panda.processor, self.choices[question]
        asked = processor.tokenizer.encode(processor.chat(question, clips=0), add_special_tokens=False)
        batch = processor([processor.chat(question, answer, clips=0) for answer in allowed])
        ids, mask = batch["input_ids"], batch["attention_mask"]
        with torch.inference_mode():
            logits = self.panda.model(**batch, position_ids=(mask.cumsum(1) - 1).clamp(min=0)).logits
        likelihood = logits[:, :-1].log_softmax(-1).gather(2, ids[:, 1:, None])[..., 0]
        answered = mask[:, 1:].cumsum(1) >= len(asked)  # position j predicts token j + 1
        return Reply(allowed[int((likelihood * answered * mask[:, 1:]).sum(1).argmax())])


def choices(sample: Sample) -> tuple[str, ...]:
    """Return the answers that a question allows: the two cards that it names, or all of its family."""
    named = re.search(r"the (\w+ \w+) or the (\w+ \w+)\?", sample.question)
    return (named[1], named[2]) if named else FAMILIES[sample.family].answers


def questions(family: str, scenes: list[Scene], most: int) -> list[Sample]:
    """Return up to `most` test questions of a family, evenly from all scenes and in their order."""
    asked = [[s for s in FAMILIES[family].ask(scene, _rng(scene)) if not s.facts.training_only] for scene in scenes]
    rounds = [
        (turn, number, samples[i])
        for number, (scene, samples) in enumerate(zip(scenes, asked, strict=True))
        for turn, i in enumerate(_rng(scene).permutation(len(samples)))
    ]
    chosen = sorted(rounds, key=lambda entry: entry[:2])[:most]
    return [sample for _, _, sample in sorted(chosen, key=lambda entry: entry[1])]


def _rng(scene: Scene) -> np.random.Generator:
    return np.random.default_rng(scene.seed)


def scored(answerer: Watching | Blind, samples: list[Sample]) -> dict[str, list[Score]]:
    """Return the scores by family. Each video is opened once for all of its questions."""
    ordered = sorted(samples, key=lambda sample: sample.video)
    scores = run(answerer, ordered, lambda answer, sample: FAMILIES[sample.family].mark(answer, sample))
    by_family: dict[str, list[Score]] = {sample.family: [] for sample in samples}
    for one in tqdm(scores, total=len(ordered), desc=type(answerer).__name__.lower(), unit="question"):
        by_family[one.sample.family].append(one)
    return by_family


def row(seen: Accuracy, blind: Accuracy, chance: float) -> dict[str, object]:
    """Return the row of one family in the result file."""
    return {
        "questions": seen.questions,
        "videos": seen.videos,
        "errors": seen.errors,
        "accuracy": seen.value,
        "interval": seen.interval,
        "chance": chance,
        "blind_accuracy": blind.value,
        "blind_interval": blind.interval,
        "blind_questions": blind.questions,
    }


def look() -> str:
    """Return 8 hex digits that depend on what the renderer draws and how films are sampled."""
    scene = generate(scene_seed(Split.DEV, 0), SECONDS)
    frame = render(scene, np.array([scene.events[0].start_seconds + 2]), 96)
    return hashlib.sha256(f"{frame_hash(frame)} {FPS}".encode()).hexdigest()[:8]


def film_missing(scenes: list[Scene], folder: Path) -> None:
    """Film the scenes of which `folder` has no complete film."""
    folder.mkdir(parents=True, exist_ok=True)
    for scene in tqdm(scenes, desc="filming", unit="video"):
        target = folder / f"{scene.name}.mp4"
        if not (target.is_file() and _filmed(target) == scene):
            film(scene, target, fps=FPS)


def _filmed(target: Path) -> Scene | None:
    try:
        return read_scene(target)
    except ConfigError:
        return None


def _write_answers(path: Path, scores: dict[str, list[Score]]) -> None:
    """Write every question with its answer and the true answer as JSON Lines."""
    lines = [
        {"family": name, "video": one.sample.video, "question": one.sample.question, "answer": one.reply.text}
        | {"target": one.sample.target, "template": one.sample.facts.template, "score": one.value}
        for name, family in scores.items()
        for one in family
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.nano", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--videos", type=int, default=200)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--films", type=Path, default=Path("runs/films"), help="films are kept here and reused")
    parser.add_argument("--out", type=Path, default=RESULT)
    return parser


def main() -> None:
    """Make the missing films, ask, score, and write the result."""
    options = (parser := arguments()).parse_args()
    if options.model != MODEL:
        keep_result(parser, options.out, RESULT, f"--model {options.model}")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    scenes = [generate(scene_seed(Split.TEST, i), SECONDS) for i in range(options.videos)]
    film_missing(scenes, folder := options.films / look())
    unseen = [generate(scene_seed(Split.TEST, options.videos + i), SECONDS) for i in range(BLIND_SCENES)]
    panda = load(options.model)
    tests = {name: questions(name, scenes, options.questions) for name in ROOM}
    blind_tests = {name: questions(name, unseen, BLIND_SCENES) for name in ROOM}
    seen = scored(Watching(panda, folder), [sample for samples in tests.values() for sample in samples])
    unseen_samples = [sample for samples in blind_tests.values() for sample in samples]
    blind = scored(Blind(panda, unseen_samples), unseen_samples)
    families = {}
    for name, samples in tests.items():
        chance = float(np.mean([sample.facts.chance for sample in samples]))
        families[name] = row(accuracy(seen[name]), accuracy(blind[name]), chance)
        print(f"{name:8} {accuracy(seen[name])}; blind {accuracy(blind[name])}; chance {chance:.1%}", flush=True)
    _write_answers(options.out.with_suffix(".jsonl"), seen)
    ran = command(parser, options)
    result = {"machine": machine(), "command": ran, "video_seconds": SECONDS, "families": families}
    write_json(options.out, result)


if __name__ == "__main__":
    main()
