"""Accuracy of a model that was trained on annotations, on new clips, against the same model without frames.

    longpanda data generate --out runs/clips --clips 2000 --seconds 2
    longpanda train annotated
    python -m benchmarks.annotated

Without frames, the model picks the likeliest of the answers that a question allows.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.measure import command, machine, write_json
from benchmarks.nano import Blind
from longpanda.evaluate import accuracy, run
from longpanda.evaluate.paired import compare
from longpanda.inference import LongPanda, load
from longpanda.longwatch import families
from longpanda.longwatch.answers import Mark
from longpanda.longwatch.conversations import VIDEOS, Clips, generate_clips
from longpanda.types import Reply, Sample, Score

RESULTS = Path(__file__).parent / "results"
KINDS = {**families.FAMILIES, **families.PRACTICE}


class Seen:
    """The model with the frames of a clip."""

    def __init__(self, panda: LongPanda, folder: Path) -> None:
        self.panda, self.folder = panda, folder

    def watch(self, video: str) -> Callable[[Sample], Reply]:
        """Read a clip as `longpanda ask` does."""
        session = self.panda.watch(self.folder / f"{video}.mp4")
        return lambda sample: session.ask(sample.question).reply


def mark(text: str, sample: Sample) -> Mark:
    """Mark an answer as its family does."""
    return KINDS[sample.family].mark(text, sample)


def asked(clips: Clips) -> list[Sample]:
    """Return all questions about the clips."""
    return [one for number in range(clips.count) for one in clips.samples(clips.scene(number), _name(clips, number))]


def _name(clips: Clips, number: int) -> str:
    return f"clip-{clips.seed}-{number:06d}"


def scores(answerer: Any, samples: list[Sample], what: str) -> list[Score]:
    """Ask all questions."""
    return list(tqdm(run(answerer, samples, mark), total=len(samples), desc=what, unit="question"))


def row(name: str, seen: list[Score], blind: list[Score]) -> dict[str, Any]:
    """Compare answers with and without frames."""
    return {"family": name, **{k: asdict(accuracy(v)) for k, v in (("frames", seen), ("no frames", blind))}} | {
        "difference": asdict(compare(blind, seen))
    }


def main() -> None:
    """Ask about new clips, and write the results."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.annotated", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="runs/annotated/model", metavar="MODEL", help="the trained model")
    parser.add_argument("--clips", type=int, default=200, metavar="N", help="number of new clips (default: 200)")
    parser.add_argument("--out", type=Path, default=RESULTS / "annotated.json", metavar="FILE", help="file of results")
    options = parser.parse_args()
    panda, clips = load(options.model), Clips(options.clips, seed=1, seconds=2.0)
    samples = asked(clips)
    choices = Blind(panda, [])
    choices.choices = {one.question: KINDS[one.family].answers for one in samples}
    with tempfile.TemporaryDirectory() as folder:
        for _ in generate_clips(clips, Path(folder)):
            pass
        seen = scores(Seen(panda, Path(folder) / VIDEOS), samples, "frames")
    blind = scores(choices, samples, "no frames")
    names = dict.fromkeys(one.family for one in samples)
    rows = [row("all", seen, blind)]
    rows += [row(name, *([s for s in each if s.sample.family == name] for each in (seen, blind))) for name in names]
    result = {"machine": machine(), "command": command(parser, options), "clips": asdict(clips), "rows": rows}
    write_json(options.out, result)
    for one in rows:
        print(one["family"], *(f"{k} {one[k]['value']:.3f} {one[k]['interval']}" for k in ("frames", "no frames")))


if __name__ == "__main__":
    main()
