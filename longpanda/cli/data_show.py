"""`longpanda data show`: what a mixture holds, and how its records look to the model."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from longpanda.cli.data_prepare import print_inventory
from longpanda.cli.data_sources import add_mixture, counted_inventory, open_mixture

if TYPE_CHECKING:
    from longpanda.data.samples import View
    from longpanda.processing import LongPandaProcessor


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the step."""
    add_mixture(parser)
    add = parser.add_argument
    add("--html", type=Path, metavar="FILE.html", help="write a page with records and their frames (default: no)")
    add("--samples", type=int, default=2, metavar="N", help="records of each source on the page (default: 2)")
    about = "show the text exactly as this model gets it (default: the turns of the conversation)"
    add("--model", metavar="NAME", help=about)
    add("--fps", type=float, default=1.0, metavar="F", help="frames per second that are looked at (default: 1)")
    add("--min-frames", type=int, default=1, metavar="N", help="frames of a short video (default: 1)")
    add("--max-frames", type=int, default=512, metavar="N", help="frames of a long video (default: 512)")
    add("--frame-rule", default="times", metavar="RULE", help="times or videochat_flash (default: times)")
    about = "tell the model of lengths and frames: short or times (default: no)"
    add("--time-message", default="", metavar="STYLE", help=about)
    add("--json", action="store_true", help="print one JSON object, in one line")
    parser.set_defaults(step_run=run)


def run(options: argparse.Namespace) -> None:
    """Count what can be used of each source, by what `data prepare` found; with --html, write a page with records."""
    from longpanda.cli.streams import print_json
    from longpanda.data.manifest import Manifest, manifest_folder
    from longpanda.data.page import Page, write_page
    from longpanda.data.samples import sample_views
    from longpanda.errors import ConfigError
    from longpanda.files import check_writable, write_atomic

    if options.samples < 1:
        raise ConfigError(f"--samples {options.samples}", "at least 1", "correct it")
    if options.model is not None and options.html is None:
        raise ConfigError("--model without --html", "a page to show the model's text on", "add --html FILE.html")
    view = _view(options)
    manifest = Manifest.open(options.manifest or manifest_folder(options.mixture))
    if options.html is not None:
        check_writable(options.html)
        view = replace(view, processor=_processor(options.model))
    mixture, indexes = open_mixture(options)
    inventory = counted_inventory(mixture, indexes, manifest)
    sha256 = mixture.sha256([index.sha256 for index in indexes])
    if options.json:
        left_out = {one.name: one.reason for one in mixture.left_out}
        print_json({"sha256": sha256, "sources": [one.as_dict() for one in inventory], "left_out": left_out})
    else:
        print_inventory(mixture, inventory)
        print(f"mixture {sha256}")
    if options.html is not None:
        samples = list(sample_views(mixture, indexes, manifest, view, options.samples))
        write_atomic(options.html, write_page(Page(mixture, sha256, inventory, samples, _how(options))))
        if not options.json:
            print(f"the page is {options.html}")


def _view(options: argparse.Namespace) -> "View":
    """How records are shown. Raises ConfigError."""
    from longpanda.data.frame_choice import FrameChoice, time_message
    from longpanda.data.samples import View

    choice = FrameChoice(options.fps, options.min_frames, options.max_frames, rule=options.frame_rule)
    time_message(options.time_message, 1.0, [])  # refuses an unknown style
    return View(choice, options.time_message)


def _processor(model: str | None) -> "LongPandaProcessor | None":
    """What makes a model's text. Raises ModelError."""
    if model is None:
        return None
    from longpanda.errors import ModelError, first_line
    from longpanda.inference.load import folders_of
    from longpanda.processing import LongPandaProcessor

    folder = folders_of(model)[-1]
    try:
        processor: LongPandaProcessor = LongPandaProcessor.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        found = f"the processor of '{model}' cannot be read ({first_line(error)})"
        raise ModelError(found, "a saved LongPanda model", "save it again") from error
    return processor


def _how(options: argparse.Namespace) -> dict[str, str]:
    frames = f"{options.fps:g} a second, {options.min_frames} to {options.max_frames}, rule {options.frame_rule}"
    return {
        "Frames": frames,
        "Time message": options.time_message or "none",
        "Text": f"as {options.model} gets it" if options.model else "turns of the conversation",
    }
