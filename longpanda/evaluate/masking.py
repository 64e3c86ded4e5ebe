"""Addresses and commands without the secrets in them, for what is stored and shown."""

import re
import shlex
from collections.abc import Sequence
from typing import Final

MASK: Final = "MASKED"

_NAME: Final = (
    r"(?<![\w.-])(?:[\w.-]*[-_.])?(?:api|access|auth|client|secret)?"
    r"(?:key|token|secret|password|passwd|pwd|passphrase|credentials?|authorization)"
)
"""A name that ends in a word for something secret: --api-key, HF_TOKEN; not --max-tokens, --key-variable."""
_SHELL: Final = ("-c", "-lc", "-ic")
"""After these a shell is given a command."""
_OPTION: Final = re.compile(rf"(?=-){_NAME}", re.IGNORECASE)
_ASSIGNED: Final = re.compile(rf"({_NAME}=).*", re.IGNORECASE | re.DOTALL)
_WITHIN: Final = re.compile(rf"""({_NAME}["']?\s*[:=]\s*["']?)[^\s"',;&#{{}}]+""", re.IGNORECASE)
_USER: Final = re.compile(r"(\w+://|^(?=[^\s/?#@]*:))[^\s/?#]*@")
_BEARER: Final = re.compile(r"\b(bearer|basic)\s+[^\s\"',;]+", re.IGNORECASE)


def masked(text: str) -> str:
    """A text, such as a URL, without user:password@ and without values of names like key, token and password."""
    text = _BEARER.sub(rf"\1 {MASK}", _USER.sub(rf"\1{MASK}@", text))
    return _WITHIN.sub(rf"\1{MASK}", text)


def masked_command(words: Sequence[str]) -> str:
    """A command as one would type it, without secrets in its options, assignments, URLs and commands within it."""
    shown = list[str]()
    for before, word in zip(["", *words], words, strict=False):
        if _OPTION.fullmatch(before) and not word.startswith("--"):
            shown.append(MASK)
        elif inner := _secret_command(before, word):
            shown.append(inner)
        elif found := _ASSIGNED.fullmatch(word):
            shown.append(found[1] + MASK)
        else:
            shown.append(masked(word))
    return shlex.join(shown)


def _secret_command(before: str, word: str) -> str:
    """The command within a word without its secrets, "" where it has none: what has none is not touched."""
    inner = _split(word)
    if before not in _SHELL and not any(_OPTION.fullmatch(part) for part in inner[:-1]):
        return ""
    shown = masked_command(inner)
    return shown if shown != shlex.join(inner) else ""


def _split(word: str) -> list[str]:
    """The words of a command within a word."""
    try:
        return shlex.split(word)
    except ValueError:  # prose with an apostrophe
        return [word]
