"""`longpanda data generate`: generated clips as an annotated data set, to try training on annotations."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the step."""
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="folder of the data set")
    add("--clips", type=int, default=200, metavar="N", help="number of clips (default: 200)")
    add("--seed", type=int, default=0, metavar="N", help="no two seeds share a clip (default: 0)")
    add("--seconds", type=float, default=8.0, metavar="S", help="length of a clip (default: 8)")
    add("--fps", type=float, default=1.0, metavar="RATE", help="frames per second (default: 1)")
    add("--size-px", type=int, default=96, metavar="PX", help="side of the square frames (default: 96)")
    about = "question families (default: lamp_colour state card_count)"
    add("--families", nargs="+", default=["lamp_colour", "state", "card_count"], metavar="FAMILY", help=about)
    add("--turns", type=int, default=4, metavar="N", help="most questions of one conversation (default: 4)")
    add("--films", action="store_true", help="events follow each other (default: each clip shows one still scene)")
    parser.set_defaults(step_run=run)


def run(options: argparse.Namespace) -> None:
    """Write generated clips with conversations about them as an annotated data set; run it again to resume."""
    from longpanda.cli.bars import bar
    from longpanda.errors import counted
    from longpanda.longwatch.conversations import CONVERSATIONS, MIXTURE, Clips, generate_clips

    clips = Clips(
        count=options.clips,
        seed=options.seed,
        seconds=options.seconds,
        fps=options.fps,
        size_px=options.size_px,
        families=tuple(options.families),
        most_turns=options.turns,
        stills=not options.films,
    )
    with bar("filming", options.clips, "clips") as shown:
        for _ in generate_clips(clips, options.out):
            shown.update()
    print(f"{counted(options.clips, 'clip')} with {CONVERSATIONS} in {options.out}")
    print(f"train on it with data: {{kind: annotations, mixture: {options.out / MIXTURE}}}")
