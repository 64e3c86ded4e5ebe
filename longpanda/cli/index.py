"""Stream a video into an index, to ask it many questions later; --append goes on when the video has grown."""

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
    """The options of `longpanda index`."""
    parser.add_argument("video", help="a video file")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the index goes (default: beside it, NAME.vidx)")
    add_model(parser, DEFAULT_OF_INDEXES)
    parser.add_argument(
        "--fps",
        type=float,
        help="frames to look at per second of video (default: that of an index which is there, else the model's own)",
    )
    parser.add_argument(
        "--storage",
        help="how tokens are kept: float32, bfloat16 or int8, which takes half of bfloat16 (default: that of an index "
        "which is there, else bfloat16)",
    )
    parser.add_argument(
        "--tokens-per-frame",
        type=float,
        metavar="N",
        help="keep at most so many tokens of a frame, also 0.25; for models with a compressor (default: that of an "
        "index which is there, else the model's own)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="threads that decode while the model encodes (default: one a core, at most 4; 1 for a file that was "
        "written to within the last minute)",
    )
    parser.add_argument("--append", action="store_true", help="the video has grown since it was indexed: go on")
    parser.add_argument("--plan", action="store_true", help="say what the index would hold, and make none")
    parser.add_argument("--json", action="store_true", help="print one JSON object, in one line")


def run(options: argparse.Namespace) -> None:
    """Predict, stream, and report."""
    from longpanda.video import check_workers, probe

    if options.workers is not None:
        check_workers(options.workers)
    probe(options.video)  # a bad file is reported before the model is loaded
    from longpanda.index.builder import beside
    from longpanda.index.store import Store

    out = beside(Path(options.video)) if options.out is None else options.out
    is_begun = Store.is_begun(out)
    how = options.fps, options.storage, options.tokens_per_frame, options.workers
    model = model_of(options.model, out if is_begun else None, DEFAULT_OF_INDEXES)
    dtype = Store.open(out).header.dtype if is_begun and options.dtype is None else options.dtype
    panda = loaded(model, options.device, dtype)
    builder = panda.index_builder(options.video, out, *how)
    if panda.model.config.notice:  # before the work: hours of it may be for nothing
        print(f"note: {panda.name}: {panda.model.config.notice}", file=sys.stderr)
    if options.append and not is_begun:
        print(f"no index '{out}' to append to: it begins here", file=sys.stderr)
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
    """The index, and whether there was anything left to do."""
    with _Bar(len(builder.seconds)) as bar:
        return builder.build(append, bar), bar.had_work


class _Bar:
    """Shows nothing before the first frame is done; what an earlier call has done counts for no rate."""

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
    unchanged = "" if had_work else "; nothing was left to do"
    missing = f"; {counted(lost, 'frame')} could not be read" if (lost := facts["frames_missing"]) else ""
    size = f"{index.store.bytes() / 2**20:.1f} MiB"
    return (
        f"{facts['index']}: {counted(facts['frames'], 'frame')}, {counted(facts['tokens'], 'token')}, {size}"
        f"{missing}{unchanged}\nlongpanda ask {shlex.quote(str(index.path))} QUESTION"
    )
