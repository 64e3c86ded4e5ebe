"""Ask questions about a video or an index."""

import argparse
import mimetypes
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from longpanda.cli.models import add_model, loaded, model_of
from longpanda.cli.streams import print_json
from longpanda.errors import PromptError, counted

if TYPE_CHECKING:
    from longpanda.inference import Session
    from longpanda.types import Answer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `longpanda ask`."""
    parser.add_argument("video", help="a video file, a picture, or an index made by `longpanda index`")
    parser.add_argument(
        "questions", nargs="+", metavar="question", help="a question; the video is read once for all of them"
    )
    add_model(parser)
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--frames", type=int, metavar="N", help="look at N frames, spread evenly over the video")
    amount.add_argument(
        "--fps", type=float, metavar="F", help="look at F frames per second (default: the model's own rate)"
    )
    parser.add_argument("--budget", type=int, metavar="TOKENS", help="use at most this many tokens for the video")
    add_answer_tokens(parser)
    parser.add_argument("--explain", action="store_true", help="print how many frames and tokens are used, and why")
    parser.add_argument("--evidence", action="store_true", help="print the times in the video that support each answer")
    parser.add_argument("--verify", action="store_true", help="ask again with only the evidence, and without it")
    parser.add_argument("--thumbnails", type=Path, metavar="DIR", help="write thumbnails of the evidence to a folder")
    parser.add_argument(
        "--keep-prefix",
        action="store_true",
        help="store the language model's KV prefix in the index, on disk, so that the next call starts at once",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per question, each on one line")


def add_answer_tokens(parser: argparse.ArgumentParser) -> None:
    """Add `--answer-tokens`."""
    about = "limit on an answer, in tokens (default: %(default)s)"
    parser.add_argument("--answer-tokens", type=int, default=64, metavar="N", help=about)


def run(options: argparse.Namespace) -> None:
    """Answer the questions and print the answers."""
    for question in options.questions:
        _require_question(question)
    from longpanda.errors import ConfigError
    from longpanda.types import is_index
    from longpanda.video import Sampling, probe

    sampling = Sampling.from_options(options.frames, options.fps)
    is_stored = is_index(Path(options.video))
    if options.keep_prefix and not is_stored:
        raise ConfigError("--keep-prefix with a video", "an index", "index the video first: longpanda index VIDEO")
    if options.thumbnails is not None:
        _make_empty(options.thumbnails)
    if not is_stored:
        probe(options.video)  # report a bad file before the model is loaded
    name = model_of(options.model, Path(options.video) if is_stored else None)
    panda = loaded(name, options.device, options.dtype)
    session = panda.watch(options.video, sampling, options.budget, answer_tokens=options.answer_tokens)
    if options.explain:
        print(session.plan, file=sys.stderr)
    use_prefix(session, Path(options.video), options.keep_prefix)
    located, several = options.evidence or options.thumbnails is not None, len(options.questions) > 1
    for number, question in enumerate(options.questions):
        answer = session.ask(question, evidence=located, verify=options.verify)
        prefix = f"{number + 1:02d}" if several else ""
        pictures = [] if options.thumbnails is None else _thumbnails(session, answer, options.thumbnails, prefix)
        if options.json:
            found = {"question": question, **answer.as_dict(), "thumbnails": pictures}
            print_json(found)
            continue
        text = describe(answer) + (f"\npictures: {', '.join(pictures)}" if pictures else "")
        print(f"{question}\n{text}\n" if several else text, flush=True)


def _require_question(text: str) -> None:
    """Raises PromptError for an empty question, and for a second file, since one call reads one video."""
    if not text.strip():
        raise PromptError("an empty question", "some text", 'ask something, for example "What happens first?"')
    kind = mimetypes.guess_type(text)[0] or ""
    is_name = len(text.split()) == 1 and (kind.startswith(("video/", "image/")) or text.rstrip("/").endswith(".vidx"))
    is_there = os.path.isfile(text) or os.path.isfile(os.path.join(text, "header.json"))
    if is_name or is_there:
        what = "a second file" if is_there else "which looks like a second file,"
        remedy = "ask about each video in a call of its own"
        raise PromptError(f"'{text}', {what} where a question belongs", "one video, then questions about it", remedy)


def _make_empty(folder: Path) -> None:
    """Make the folder. Raises ConfigError if it has files already, since thumbnails of two calls would mix."""
    from longpanda.errors import ConfigError

    try:
        folder.mkdir(exist_ok=True)
        why = "holds files already" if any(folder.iterdir()) else ""
    except OSError as error:
        why = f"cannot be made or read as a folder ({error.strerror})"
    if why:
        raise ConfigError(f"'{folder}', which {why}", "a new or empty folder for pictures", "choose another name")


def use_prefix(session: "Session", index: Path, keep: bool = False) -> None:
    """Load an index's stored KV prefix, or store one for later calls if `keep`. A video has none."""
    from longpanda.errors import IndexFileError
    from longpanda.files import exclusive_lock
    from longpanda.index.store import PREFIX, Store

    path = index / PREFIX
    try:
        is_there = session.use_prefix(path)
    except IndexFileError as error:  # answers do not depend on it
        print(f"longpanda: {error.found}; it is computed again", file=sys.stderr)
        is_there = False
    if not is_there and keep:
        with exclusive_lock(index):
            Store.open(index).clear()
            session.keep_prefix(path)
        print(f"kept {path} ({path.stat().st_size / 2**20:.1f} MiB)", file=sys.stderr)


def _thumbnails(session: "Session", answer: "Answer", folder: Path, number: str) -> list[str]:
    """Write each thumbnail within the evidence, or else the nearest one; return the file names."""
    from longpanda.files import write_atomic

    written = []
    for place, one in enumerate(answer.evidence, 1):
        for thumbnail in session.pictures(one):
            minutes, seconds = divmod(thumbnail.seconds, 60)
            name = "-".join(filter(None, [number, f"{place}", f"{int(minutes):03d}m{seconds:04.1f}s"]))
            write_atomic(path := folder / f"{name}.jpg", thumbnail.jpeg)
            written.append(str(path))
    return written


def describe(answer: "Answer") -> str:
    """Return the answer, its evidence and its cost as text for people."""
    first, last = answer.pts_seconds[0], answer.pts_seconds[-1]
    frames, tokens = counted(len(answer.pts_seconds), "frame"), counted(answer.visual_tokens, "visual token")
    when = f"at {first:.1f}" if len(answer.pts_seconds) == 1 else f"from {first:.1f} to {last:.1f}"
    lines = [
        answer.text,
        "",
        f"{frames} {when} of {answer.duration_seconds:.1f} s; "
        f"{tokens}; {sum(answer.seconds.values()):.2f} s; "
        f"{answer.peak_memory_bytes / 2**20:.0f} MiB; model {answer.model}",
    ]
    checked = answer.verification
    if answer.evidence:
        spans = (f"{_clock(one.start_seconds)}-{_clock(one.end_seconds)} ({one.weight:.0%})" for one in answer.evidence)
        verdict = "" if checked is None else f" ({checked.verdict})"
        lines.append(f"evidence{verdict}: {', '.join(spans)}")
    if checked is not None:
        without = "" if checked.without is None else f"; without it: {_quoted(checked.without, checked.is_necessary)}"
        lines.append(f"from the evidence alone: {_quoted(checked.only, checked.is_supported)}{without}")
    if answer.notice:
        lines.append(f"note: {answer.notice}")
    return "\n".join(lines)


def _quoted(text: str, proves: bool | None) -> str:
    """Quote an answer to a verification. One that was cut or empty proves nothing and is marked."""
    return repr(text) + (" (not a whole answer)" if proves is None else "")


def _clock(seconds: float) -> str:
    """Format as mm:ss."""
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"
