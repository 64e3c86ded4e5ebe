"""How a server is asked: the options of `longpanda longwatch run` that are for --endpoint alone."""

import argparse
import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from longpanda.evaluate import Request

PATIENCE_SECONDS: Final = 120.0
_ALONE: Final = ("temperature", "limit_field", "extra_body", "patience")
"""Options that mean nothing to another system."""


def add_endpoint_options(parser: argparse.ArgumentParser) -> None:
    """All of them."""
    add = parser.add_argument
    add(
        "--endpoint-model",
        default="default",
        metavar="NAME",
        help="what the server of --endpoint calls its model (default: default)",
    )
    add(
        "--key-variable",
        default="OPENAI_API_KEY",
        metavar="NAME",
        help="environment variable with the key of --endpoint (default: OPENAI_API_KEY)",
    )
    add("--temperature", type=float, metavar="T", help="of sampling, for --endpoint (default: 0)")
    add(
        "--limit-field",
        metavar="NAME",
        help="what --endpoint calls the longest answer: max_tokens or max_completion_tokens (default: max_tokens, and "
        "the other where a server refuses it)",
    )
    add(
        "--extra-body",
        metavar="JSON",
        help="an object with more fields of every request to --endpoint; null leaves one of ours out (default: none)",
    )
    add(
        "--patience",
        type=float,
        metavar="S",
        help="seconds to wait for --endpoint, where it is busy or fails, between all tries of one question (default: "
        f"{PATIENCE_SECONDS:g})",
    )


def require_endpoint(options: argparse.Namespace) -> None:
    """Raises ConfigError where an option for --endpoint is given to another system."""
    from longpanda.errors import ConfigError

    for name in _ALONE:
        if options.endpoint is None and getattr(options, name) is not None:
            option = f"--{name.replace('_', '-')}"
            raise ConfigError(f"{option} without --endpoint", "it with a server alone", "leave it out")


def answer_tokens(options: argparse.Namespace) -> int:
    """The longest answer. Raises ConfigError for one of no tokens."""
    from longpanda.errors import ConfigError
    from longpanda.types import ANSWER_TOKENS

    most = ANSWER_TOKENS if options.answer_tokens is None else int(options.answer_tokens)
    if most < 1:
        raise ConfigError(f"--answer-tokens {most}", "at least 1", "allow more")
    return most


def request_of(options: argparse.Namespace) -> "Request":
    """What is asked of a server. Raises ConfigError where that cannot be asked."""
    from longpanda.evaluate import Request

    return Request(
        answer_tokens=answer_tokens(options),
        temperature=options.temperature or 0.0,
        extra=_extra(options.extra_body),
        **({} if options.limit_field is None else {"limit_field": options.limit_field}),
    )


def patience_seconds(options: argparse.Namespace) -> float:
    """How long a server is waited for."""
    return PATIENCE_SECONDS if options.patience is None else float(options.patience)


def _extra(text: str | None) -> dict[str, Any]:
    """The object of --extra-body."""
    from longpanda.errors import ConfigError
    from longpanda.evaluate.masking import masked

    try:
        value = json.loads(text or "{}")
    except ValueError as error:
        raise ConfigError(f"--extra-body that is no JSON ({error})", "an object of JSON", "correct it") from error
    if not isinstance(value, dict):
        raise ConfigError(f"--extra-body {masked(str(text))[:80]}", "an object of JSON", "give fields and values")
    return value
