"""Talk about a video or an index: every question knows what was said before, where the model was taught that."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from longpanda.cli.ask import add_answer_tokens
from longpanda.cli.models import add_model, loaded, model_of
from longpanda.cli.streams import complain, require_input
from longpanda.errors import ContextError, PromptError

if TYPE_CHECKING:
    from longpanda.inference import Session
    from longpanda.types import Answer

QUIT = {"exit", "quit"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `longpanda chat`."""
    parser.add_argument("video", help="an index that `longpanda index` made, or a video file")
    add_model(parser)
    parser.add_argument("--budget", type=int, metavar="TOKENS", help="the most tokens that the video may take")
    add_answer_tokens(parser)
    parser.add_argument("--forget", action="store_true", help="ask each question by itself")


def run(options: argparse.Namespace) -> None:
    """Read questions from the terminal, or from a pipe, until there are no more."""
    from longpanda.cli.ask import use_prefix
    from longpanda.types import is_index

    require_input()
    path = Path(options.video)
    name = model_of(options.model, path if is_index(path) else None)
    panda = loaded(name, options.device, options.dtype)
    session = panda.watch(options.video, budget_tokens=options.budget, answer_tokens=options.answer_tokens)
    use_prefix(session, path)
    people = sys.stdin.isatty()
    if people:
        print(f"{session.plan}\nAsk, and end with Ctrl-D or 'exit'.")
    forget = options.forget or panda.model.config.single_turn
    if forget and not options.forget:
        print(f"note: {panda.name} was taught single questions: each is asked by itself", file=sys.stderr)
    history: list[tuple[str, str]] = []
    noticed: set[str] = set()
    while (question := _next_question(people)) is not None:
        answer = _answer(session, question, history) if question else None
        if answer is None:
            continue
        if not forget:
            history.append((question, answer.text))
        print(answer.text, flush=True)
        if answer.notice and answer.notice not in noticed:
            noticed.add(answer.notice)
            print(f"note: {answer.notice}", file=sys.stderr)


def _answer(session: "Session", question: str, history: list[tuple[str, str]]) -> "Answer | None":
    """An answer; where the context is full, the oldest of what was said is forgotten. None for what is no question."""
    while True:
        try:
            return session.ask(question, history)
        except ContextError as error:
            if not history:
                complain(str(error))
                return None
            del history[0]
        except PromptError as error:
            complain(str(error))
            return None


def _next_question(people: bool) -> str | None:
    """What is typed, "" for an empty line, None at the end."""
    try:
        line = input("> " if people else "").strip()
    except EOFError:
        return None
    return None if line.lower() in QUIT else line
