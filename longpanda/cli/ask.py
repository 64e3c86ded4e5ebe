"""Ask questions of a video."""

import argparse
import json
from typing import TYPE_CHECKING

from longpanda.errors import PromptError

if TYPE_CHECKING:
    from longpanda.types import Answer
    from longpanda.video import Sampling


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `longpanda ask`."""
    parser.add_argument("video", help="a video file, or a picture")
    parser.add_argument(
        "questions", nargs="+", metavar="question", help="what you want to know; the video is read once"
    )
    parser.add_argument("--model", default="nano", help="a bundled model, a model folder or a hub id (default: nano)")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--frames", type=int, help="look at this many frames, spread evenly")
    amount.add_argument("--fps", type=float, help="look at this many frames per second of video")
    parser.add_argument("--json", action="store_true", help="print one JSON object, or one a line for each question")


def sampling_of(frames: int | None, fps: float | None) -> "Sampling | None":
    """The sampling of the options, None for the model's own. Raises ConfigError for zero or negative values."""
    from longpanda.video import Sampling

    if frames is None and fps is None:
        return None
    return Sampling(frames=frames, fps=fps)


def run(options: argparse.Namespace) -> None:
    """Answer and print."""
    if not all(question.strip() for question in options.questions):
        raise PromptError("an empty question", "some text", 'ask something, for example "What happens first?"')
    sampling = sampling_of(options.frames, options.fps)
    from longpanda.video import probe

    probe(options.video)  # a bad file is reported before the model is loaded
    from longpanda.index import load

    session, several = load(options.model).watch(options.video, sampling), len(options.questions) > 1
    for question in options.questions:
        answer = session.ask(question)
        if options.json:
            print(json.dumps(answer.as_dict(), indent=None if several else 2), flush=True)
        else:
            print(f"{question}\n{describe(answer)}\n" if several else describe(answer), flush=True)


def describe(answer: "Answer") -> str:
    """The answer and what it stands on, for people."""
    first, last = answer.pts_seconds[0], answer.pts_seconds[-1]
    lines = [
        answer.text,
        "",
        f"{len(answer.pts_seconds)} frames from {first:.1f} to {last:.1f} of {answer.duration_seconds:.1f} s; "
        f"{answer.visual_tokens} visual tokens; {sum(answer.seconds.values()):.2f} s; "
        f"{answer.peak_memory_bytes / 2**20:.0f} MiB; model {answer.model}",
    ]
    if answer.notice:
        lines.append(f"note: {answer.notice}")
    return "\n".join(lines)
