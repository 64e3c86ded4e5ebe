"""Stream a video into an index, which can be asked many questions later; --append extends it as the video grows."""

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longpanda.cli.models import DEFAULT_OF_INDEXES, add_model, loaded, model_of
from longpanda.cli.streams import print_json
from longpanda.errors import counted

if TYPE_CHECKING:
    from tqdm import tqdm

    from longpanda.index import IndexBuilder, IndexPlan, VideoIndex


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `longpanda index`."""
    parser.add_argument("video", help="a video file")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the index (default: NAME.vidx beside the video)"
    )
    add_model(parser, DEFAULT_OF_INDEXES)
    parser.add_argument(
        "--fps",
        type=float,
        metavar="F",
        help="frames to encode per second of video (default: the existing index's, else the model's own)",
    )
    parser.add_argument(
        "--storage",
        metavar="NAME",
        help="format of the stored tokens: float32, bfloat16, or int8, with half the size of bfloat16 (default: "
        "the existing index's, else bfloat16)",
    )
    parser.add_argument(
        "--tokens-per-frame",
        type=float,
        metavar="N",
        help="keep at most N tokens per frame, which may be a fraction such as 0.25; for models with a compressor "
        "(default: the existing index's, else the model's own)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="threads that decode while the model encodes (default: one per core, at most 4; 1 for a file modified "
        "within the last minute)",
    )
    parser.add_argument("--append", action="store_true", help="extend the index of a video that has grown")
    parser.add_argument("--plan", action="store_true", help="print the size of the index without making it")
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")


def run(options: argparse.Namespace) -> None:
    """Print the plan, build the index, and print what it holds."""
    from longpanda.video import check_workers, probe

    if options.workers is not None:
        check_workers(options.workers)
    probe(options.video)  # report a bad file before the model is loaded
    from longpanda.index.builder import beside
    from longpanda.index.store import Store

    out = beside(Path(options.video)) if options.out is None else options.out
    is_begun = Store.is_begun(out)
    how = options.fps, options.storage, options.tokens_per_frame, options.workers
    model = model_of(options.model, out if is_begun else None, DEFAULT_OF_INDEXES)
    dtype = Store.open(out).header.dtype if is_begun and options.dtype is None else options.dtype
    panda = loaded(model, options.device, dtype)
    builder = panda.index_builder(options.video, out, *how)
    if panda.model.config.notice:  # before hours of work that may be useless
        print(f"note: {panda.name}: {panda.model.config.notice}", file=sys.stderr)
    if options.append and not is_begun:
        print(f"no index '{out}' to append to; a new one is begun", file=sys.stderr)
    if not options.json:
        print(_plan_line(builder.plan), flush=True)
    elif options.plan:
        print_json(_planned(builder.plan))
    if options.plan:
        return
    index, had_work = _built(builder, options.append)
    facts = _facts(index)
    if options.json:
        print_json(facts)
        return
    if facts["notice"]:
        print(f"note: {facts['notice']}", file=sys.stderr)
    print(_line(index, had_work))


def _built(builder: "IndexBuilder", append: bool) -> "tuple[VideoIndex, bool]":
    """Build the index; also return whether there was anything left to do."""
    with _Bar(len(builder.seconds)) as bar:
        return builder.build(append, bar), bar.had_work


class _Bar:
    """A bar that appears with the first frame. Frames of an earlier call do not count towards the rate."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._bar: tqdm[None] | None = None
        self.had_work = False

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, done: int) -> None:
        from longpanda.cli.bars import bar

        self.had_work = True
        if self._bar is None:
            self._bar = bar("indexing", self._total, "frames", done)
        self._bar.update(done - self._bar.n)


def _planned(plan: "IndexPlan") -> dict[str, object]:
    return {
        "video": str(plan.video),
        "duration_seconds": plan.info.duration_seconds,
        "frames": plan.frames,
        "fps": plan.fps,
        "tokens": plan.tokens,
        "token_bytes": plan.token_bytes,
        "bytes": plan.bytes,
        "storage": plan.storage,
    }


def _plan_line(plan: "IndexPlan") -> str:
    frames, tokens = counted(plan.frames, "frame"), counted(plan.tokens, "token")
    return (
        f"{plan.info.duration_seconds / 60:.1f} min at {plan.fps:.3g} fps: {frames}, {tokens}, "
        f"{plan.token_bytes / 2**20:.1f} MiB as {plan.storage}, about {plan.bytes / 2**20:.1f} MiB with thumbnails"
    )


def _facts(index: "VideoIndex") -> dict[str, Any]:
    return {
        "index": str(index.path),
        "bytes": index.store.bytes(),
        "frames": index.frames,
        "frames_missing": index.facts["frames_wanted"] - index.frames,
        "tokens": index.token_count,
        "tokens_per_frame": index.token_count / index.frames,
        "duration_seconds": index.facts["duration_seconds"],
        "notice": str(index.facts.get("video_notice", "")).strip(),
        "storage": index.header.storage,
        "model": index.header.model,
    }


def _line(index: "VideoIndex", had_work: bool) -> str:
    facts = _facts(index)
    unchanged = "" if had_work else "; nothing left to do"
    missing = f"; {counted(lost, 'frame')} could not be read" if (lost := facts["frames_missing"]) else ""
    size = f"{index.store.bytes() / 2**20:.1f} MiB"
    return (
        f"{facts['index']}: {counted(facts['frames'], 'frame')}, {counted(facts['tokens'], 'token')}, {size}"
        f"{missing}{unchanged}\nlongpanda ask {shlex.quote(str(index.path))} QUESTION"
    )
