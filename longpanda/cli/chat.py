"""Chat about a video or an index; a model trained on conversations remembers earlier questions."""

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
    """Add the options of `longpanda chat`."""
    parser.add_argument("video", help="an index made by `longpanda index`, or a video file")
    add_model(parser)
    parser.add_argument("--budget", type=int, metavar="TOKENS", help="use at most this many tokens for the video")
    add_answer_tokens(parser)
    parser.add_argument("--forget", action="store_true", help="ask each question without the earlier ones")


def run(options: argparse.Namespace) -> None:
    """Read questions from the terminal or a pipe and answer each, until the input ends."""
    from longpanda.cli.ask import use_prefix
    from longpanda.types import is_index

    require_input()
    path = Path(options.video)
    name = model_of(options.model, path if is_index(path) else None)
    panda = loaded(name, options.device, options.dtype)
    session = panda.watch(options.video, budget_tokens=options.budget, answer_tokens=options.answer_tokens)
    use_prefix(session, path)
    is_terminal = sys.stdin.isatty()
    if is_terminal:
        print(f"{session.plan}\nType a question; end with Ctrl-D or 'exit'.")
    forget = options.forget or panda.model.config.single_turn
    if forget and not options.forget:
        note = f"note: {panda.name} was trained on single questions, so each is asked without the earlier ones"
        print(note, file=sys.stderr)
    history: list[tuple[str, str]] = []
    noticed: set[str] = set()
    while (question := _next_question(is_terminal)) is not None:
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
    """Answer, dropping the oldest turns if the context is full. Returns None for text that is not a question."""
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


def _next_question(is_terminal: bool) -> str | None:
    """Return the next line of input, "" for an empty one, None at the end."""
    try:
        line = input("> " if is_terminal else "").strip()
    except EOFError:
        return None
    return None if line.lower() in QUIT else line
