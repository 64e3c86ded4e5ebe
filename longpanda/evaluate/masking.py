"""Mask secrets in addresses and commands before they are stored or shown."""

import re
import shlex
from collections.abc import Sequence
from typing import Final

MASK: Final = "MASKED"

_NAME: Final = (
    r"(?<![\w.-])(?:[\w.-]*[-_.])?(?:api|access|auth|client|secret)?"
    r"(?:key|token|secret|password|passwd|pwd|passphrase|credentials?|authorization)"
)
"""A name that ends in a word for a secret: --api-key, HF_TOKEN; but not --max-tokens, --key-variable."""
_SHELL: Final = ("-c", "-lc", "-ic")
"""Options of a shell that are followed by a command."""
_OPTION: Final = re.compile(rf"(?=-){_NAME}", re.IGNORECASE)
_ASSIGNED: Final = re.compile(rf"({_NAME}=).*", re.IGNORECASE | re.DOTALL)
_WITHIN: Final = re.compile(rf"""({_NAME}["']?\s*[:=]\s*["']?)[^\s"',;&#{{}}]+""", re.IGNORECASE)
_USER: Final = re.compile(r"(\w+://|^(?=[^\s/?#@]*:))[^\s/?#]*@")
_BEARER: Final = re.compile(r"\b(bearer|basic)\s+[^\s\"',;]+", re.IGNORECASE)


def masked(text: str) -> str:
    """Mask user:password@ and the values of names like key, token and password in a text such as a URL."""
    text = _BEARER.sub(rf"\1 {MASK}", _USER.sub(rf"\1{MASK}@", text))
    return _WITHIN.sub(rf"\1{MASK}", text)


def masked_command(words: Sequence[str]) -> str:
    """Quote a command for a shell, with secrets masked in options, assignments, URLs and nested commands."""
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
    """Return a nested command with its secrets masked, or "" if the word has none and must stay as it is."""
    inner = _split(word)
    if before not in _SHELL and not any(_OPTION.fullmatch(part) for part in inner[:-1]):
        return ""
    shown = masked_command(inner)
    return shown if shown != shlex.join(inner) else ""


def _split(word: str) -> list[str]:
    """Split a nested command into words."""
    try:
        return shlex.split(word)
    except ValueError:  # prose with an apostrophe
        return [word]
