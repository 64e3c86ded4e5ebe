"""`longpanda --print-completion SHELL`: what makes a shell complete our words.

shtab writes it once, from the same parser. (argcomplete would start Python at every press of the tab key.)
"""

import argparse
from pathlib import Path
from typing import Any, Final

SHELLS: Final = ("bash", "zsh", "tcsh", "fish")
FILES: Final = ("video", "videos", "results", "folder", "recipe", "model")
"""Arguments that are names of files or folders, beside those whose type says so."""


class PrintCompletion(argparse.Action):
    """Prints, and ends, as `--help` does."""

    def __call__(self, parser: argparse.ArgumentParser, _options: Any, shell: Any, _word: str | None = None) -> None:
        """Called where the option stands."""
        if shell not in SHELLS:
            parser.error(f"no completion for '{shell}'; expected one of {', '.join(SHELLS)}")
        import shtab

        _complete_files(parser, shtab.FILE)
        print(shtab.complete(parser, shell))
        parser.exit()


def _complete_files(parser: argparse.ArgumentParser, how: Any) -> None:
    """Mark what is completed by names of files, in a parser and in those of its verbs and steps."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                _complete_files(inner, how)
        elif action.type is Path or action.dest in FILES:
            action.complete = how  # type: ignore[attr-defined]
