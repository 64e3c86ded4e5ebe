"""`longpanda VERB ...`: parse the arguments, run the verb, and turn a user error into one line and exit code 2."""

import argparse
import os
import shlex
import sys
import textwrap
from collections.abc import Sequence
from itertools import pairwise, takewhile
from typing import Any, NoReturn

from longpanda import __version__
from longpanda.cli import ask, chat, data, demo, ending, index, info, longwatch, probe, signals, streams, train
from longpanda.cli.examples import examples
from longpanda.cli.recipes import listed_in_help
from longpanda.cli.shell_completion import SHELLS, PrintCompletion, parsers
from longpanda.errors import ConfigError, nearest

ABOUT = (
    "Train models that answer questions about long video, ask them, and evaluate any system. The bundled models only "
    "know generated scenes."
)
VERBS = {
    "ask": ask,
    "index": index,
    "chat": chat,
    "demo": demo,
    "train": train,
    "data": data,
    "info": info,
    "probe": probe,
    "longwatch": longwatch,
}


class _Formatter(argparse.HelpFormatter):
    """Wraps text, but not indented lines such as commands."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines = [line if line.startswith(" ") else textwrap.fill(line, width) for line in text.splitlines()]
        return "\n".join(indent + line for line in lines)


class _Parser(argparse.ArgumentParser):
    """argparse with one-line errors that name the nearest option, and with examples below its help."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"formatter_class": _Formatter, **settings})

    def format_help(self) -> str:
        """Add the parts that take time to compute, so that only `--help` waits for them."""
        words = self.prog.removeprefix("longpanda").strip()
        parts = [listed_in_help()] if words == "train" else []
        if not words:
            parts = ["\n".join(["exit codes:", *(f"  {code:<4} {said}" for code, said in ending.CODES.items())])]
        self.epilog = "\n\n".join([*parts, examples(words)])
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        self._refuse(message, f"try '{self.prog} --help'")

    def parse_known_args(self, *arguments: Any, **options: Any) -> Any:  # typeshed has it overloaded
        """Parse as argparse does, but refuse unknown options. Unknown words are returned."""
        found, rest = super().parse_known_args(*arguments, **options)
        rest = [word for word in rest if word != "--"]  # argparse leaves it in
        for word in rest:
            if word.startswith("-"):
                name = word.partition("=")[0]
                self._refuse(
                    f"no option '{name}' of '{self.prog}'",
                    nearest(name.lstrip("-"), self._shown_options(), prefix="--"),
                )
        return found, rest

    def _shown_options(self) -> list[str]:
        """Return the long options without dashes."""
        shown = (action for action in self._actions if action.help != argparse.SUPPRESS)
        return [name[2:] for action in shown for name in action.option_strings if name.startswith("--")]

    def _refuse(self, message: str, remedy: str) -> NoReturn:
        streams.complain(f"{message}; {remedy}")
        raise SystemExit(ending.Code.USER_ERROR)


def parser() -> argparse.ArgumentParser:
    """Make the parser of all verbs. Imports nothing heavy."""
    root = _Parser(prog="longpanda", description=ABOUT)
    about = f"print a completion script for a shell ({', '.join(SHELLS)}) and exit"
    root.add_argument("--print-completion", metavar="SHELL", action=PrintCompletion, help=about)
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
    """Run one command and return the exit code. Without `argv`, this is the program itself, not a call from Python."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if argv is None:
            streams.prepare()
        signals.catch()
        streams.require_output()
        _run(arguments)
        sys.stdout.flush()  # a failure can be reported here, but not when Python exits
    except SystemExit as ended:
        if isinstance(ended, signals.Stopped):
            return ending.stopped(ended)
        if (error := streams.output_error()) is not None:  # while printing --help
            return ending.failed(error)
        raise
    except (Exception, KeyboardInterrupt) as error:
        if "--debug" in arguments and isinstance(error, Exception):
            raise
        return ending.failed(error)
    return ending.Code.SUCCESS


def _run(arguments: list[str]) -> None:
    """Parse the arguments and run the verb."""
    pairs = pairwise(["", *arguments])
    words = [word for before, word in pairs if not word.startswith("-") and before != "--print-completion"]
    _require_verb_first(arguments)
    if words and words[0] not in VERBS:
        streams.complain(f"no verb '{words[0]}'; {nearest(words[0], VERBS)}")
        raise SystemExit(ending.Code.USER_ERROR)
    _require_no_dashed_files(arguments)
    options = _parsed(arguments)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    VERBS[options.verb].run(options)


def _require_verb_first(arguments: list[str]) -> None:
    """Raises ConfigError for an option of a verb that comes before the verb."""
    own, *others = ({name for action in one._actions for name in action.option_strings} for one in parsers(parser()))
    for word in takewhile(lambda one: one.startswith("-"), arguments):
        name = word.partition("=")[0]
        if name not in own and any(name in known for known in others):
            verb = next((word for word in arguments if word in VERBS), "VERB")
            found = f"the option '{name}' before the verb"
            raise ConfigError(found, "it after the verb", f"write 'longpanda {verb} ... {name}'")


def _require_no_dashed_files(arguments: list[str]) -> None:
    """Raises ConfigError for a file whose name would be parsed as an option. Words after `--` never are."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    known = {name for one in parsers(parser()) for action in one._actions for name in action.option_strings}
    for word in arguments[:end]:
        if word.startswith("-") and word not in known and os.path.lexists(word):
            found = f"the file '{word}', whose name looks like an option"
            raise ConfigError(found, f"'./{word}', or '--' before all names", f"write {shlex.quote(f'./{word}')}")


def _parsed(arguments: list[str]) -> argparse.Namespace:
    """Parse the options. `train` takes FIELD=VALUE words anywhere; argparse alone wants them before every option."""
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
