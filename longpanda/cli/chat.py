"""Talk about a video or an index: every question knows what was said before."""

import argparse
import sys

QUIT = {"exit", "quit"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `longpanda chat`."""
    parser.add_argument("video", help="an index that `longpanda index` made, or a video file")
    parser.add_argument("--model", default="nano", help="a bundled model, a model folder or a hub id (default: nano)")
    parser.add_argument("--budget", type=int, metavar="TOKENS", help="the most tokens that the video may take")
    parser.add_argument("--forget", action="store_true", help="ask each question by itself")


def run(options: argparse.Namespace) -> None:
    """Read questions from the terminal, or from a pipe, until there are no more."""
    from longpanda.index import load

    session = load(options.model).watch(options.video, budget_tokens=options.budget)
    people = sys.stdin.isatty()
    if people:
        print(f"{session.plan}\nAsk, and end with Ctrl-D or 'exit'.")
    history: list[tuple[str, str]] = []
    while (question := _next_question(people)) is not None:
        if not question:
            continue
        answer = session.ask(question, () if options.forget else history)
        history.append((question, answer.text))
        print(answer.text, flush=True)


def _next_question(people: bool) -> str | None:
    """What is typed, "" for an empty line, None at the end."""
    try:
        line = input("> " if people else "").strip()
    except EOFError:
        return None
    return None if line.lower() in QUIT else line
