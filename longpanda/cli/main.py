"""`longpanda VERB ...`: parse, run, and turn a user's mistake into one line and exit code 2."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from longpanda import __version__
from longpanda.cli import ask, chat, demo, index, info, longwatch, probe, train
from longpanda.errors import IncompleteError, LongPandaError, nearest

VERBS = {
    "ask": ask,
    "index": index,
    "chat": chat,
    "demo": demo,
    "train": train,
    "info": info,
    "probe": probe,
    "longwatch": longwatch,
}
BAD_INPUT = 2
INCOMPLETE = 3
"""The exit code of a run that left questions without an answer."""


class _Parser(argparse.ArgumentParser):
    """argparse with the house's one-line errors, which name the nearest option."""

    def error(self, message: str) -> NoReturn:
        self._refuse(message, f"try '{self.prog} --help'")

    def parse_known_args(self, *arguments: Any, **options: Any) -> Any:  # typeshed has it overloaded
        """As argparse's, but an unknown option is refused; an unknown word is not."""
        found, rest = super().parse_known_args(*arguments, **options)
        rest = [word for word in rest if word != "--"]  # which argparse leaves where no option is to follow
        for word in rest:
            if word.startswith("-"):
                name = word.partition("=")[0]
                self._refuse(
                    f"no option '{name}' of '{self.prog}'",
                    nearest(name.lstrip("-"), self._shown_options(), prefix="--"),
                )
        return found, rest

    def _shown_options(self) -> list[str]:
        """In their long form, without dashes."""
        shown = (action for action in self._actions if action.help != argparse.SUPPRESS)
        return [name[2:] for action in shown for name in action.option_strings if name.startswith("--")]

    def _refuse(self, message: str, remedy: str) -> NoReturn:
        print(f"longpanda: {message}; {remedy}", file=sys.stderr)
        raise SystemExit(BAD_INPUT)


def parser() -> argparse.ArgumentParser:
    """The parser of all verbs; imports nothing heavy."""
    root = _Parser(prog="longpanda", description="Ask questions of long video cheaply.")
    root.add_argument("--version", action="version", version=f"longpanda {__version__}")
    root.add_argument("--debug", action="store_true", help="show the traceback of an error")
    verbs = root.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=_Parser)
    for name, module in VERBS.items():
        summary = (module.__doc__ or "").splitlines()[0]
        verb = verbs.add_parser(name, help=summary, description=summary)
        verb.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        module.add_arguments(verb)
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    words = [word for word in arguments if not word.startswith("-")]
    if words and words[0] not in VERBS:
        print(f"longpanda: no verb '{words[0]}'; {nearest(words[0], VERBS)}", file=sys.stderr)
        return BAD_INPUT
    options = _parsed(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        VERBS[options.verb].run(options)
        if sys.stdout is not None:  # None where it was closed before we began
            sys.stdout.flush()  # here, and not when Python exits, a closed pipe can be handled
    except LongPandaError as error:
        if options.debug:
            raise
        if os.environ.get("RANK", "0") == "0":  # of several processes that refuse the same, one says so
            print("longpanda: " + str(error).replace("\n", " "), file=sys.stderr)
        return INCOMPLETE if isinstance(error, IncompleteError) else BAD_INPUT
    except KeyboardInterrupt:
        print("longpanda: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if options.debug:
            raise
        about = f"{type(error).__name__}: {error}".replace("\n", " ")
        print(f"longpanda: unexpected {about}; run again with --debug, and report what it shows", file=sys.stderr)
        return 1
    return 0


def _terminated(*_: object) -> None:
    """Leave as at Ctrl-C, through every block that tidies up."""
    raise SystemExit(143)


def _parsed(arguments: list[str]) -> argparse.Namespace:
    """The options; `train` takes its FIELD=VALUE words anywhere, where argparse would want them before every option."""
    options, rest = parser().parse_known_args(arguments)
    if rest and (options.verb != "train" or any("=" not in word for word in rest)):
        root = parser()
        root.prog += f" {options.verb}"
        root.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        options.overrides = [*options.overrides, *rest]
    return options


if __name__ == "__main__":
    sys.exit(main())
