"""Prepare annotated video for training: look at each file once, and show what a mixture holds."""

import argparse

from longpanda.cli import data_prepare, data_show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `longpanda data`, one parser for each step."""
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP", parser_class=type(parser))
    about = "look at every media file once; run it again to go on"
    data_prepare.add_arguments(steps.add_parser("prepare", help=about, description=data_prepare.run.__doc__))
    about = "counts by source, and a page with records as the model gets them"
    data_show.add_arguments(steps.add_parser("show", help=about, description=data_show.run.__doc__))
    for step in steps.choices.values():
        step.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> None:
    """One step."""
    options.step_run(options)
