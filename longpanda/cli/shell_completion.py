"""`longpanda --print-completion SHELL`: completion scripts.

shtab writes a static script from the parser. argcomplete would start Python at every press of the tab key.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

SHELLS: Final = ("bash", "zsh", "tcsh", "fish")
FILES: Final = ("video", "videos", "results", "folder", "recipe", "model")
"""Arguments that are files or folders but whose type is not Path."""


class PrintCompletion(argparse.Action):
    """`--print-completion`: print the script and exit, as `--help` does."""

    def __call__(self, parser: argparse.ArgumentParser, _options: Any, shell: Any, _word: str | None = None) -> None:
        """Print and exit, when argparse meets the option."""
        if shell not in SHELLS:
            parser.error(f"no completion for '{shell}'; expected one of {', '.join(SHELLS)}")
        import shtab

        for one in parsers(parser):
            for action in one._actions:
                if action.type is Path or action.dest in FILES:
                    action.complete = shtab.FILE  # type: ignore[attr-defined]
        print(shtab.complete(parser, shell))
        parser.exit()


def parsers(root: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield a parser and those of all verbs and steps below it."""
    yield root
    for action in root._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from parsers(inner)
