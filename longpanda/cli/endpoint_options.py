"""How a server is asked: the options of `longpanda longwatch run` that are for --endpoint alone, or for two systems."""

import argparse
import json
import os
from typing import TYPE_CHECKING, Any, Final

from longpanda.harness.defaults import ENDPOINT_MODEL, PATIENCE_SECONDS, TIMEOUT_SECONDS

if TYPE_CHECKING:
    from longpanda.evaluate import Request

KEY_VARIABLE: Final = "OPENAI_API_KEY"
_ALONE: Final = ("endpoint_model", "key_variable", "temperature", "limit_field", "extra_body", "patience")
"""Options that mean nothing to another system. None of them has a default of argparse's: what is not None was given."""


def add_endpoint_options(parser: argparse.ArgumentParser) -> None:
    """All of them."""
    add = parser.add_argument
    add(
        "--endpoint-model",
        metavar="NAME",
        help=f"what the server of --endpoint calls its model (default: {ENDPOINT_MODEL})",
    )
    add(
        "--key-variable",
        metavar="NAME",
        help=f"environment variable with the key of --endpoint (default: {KEY_VARIABLE})",
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
    add(
        "--timeout",
        type=float,
        metavar="S",
        help=f"seconds to wait for one answer of --command or --endpoint (default: {TIMEOUT_SECONDS:g})",
    )


def require_endpoint(options: argparse.Namespace) -> None:
    """Raises ConfigError where an option is given to a system that it means nothing to."""
    from longpanda.errors import ConfigError

    if options.timeout is not None and not is_waited_for(options):
        found = "--timeout without --command or --endpoint"
        raise ConfigError(found, "it with a system that may be silent", "leave it out")

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


def is_waited_for(options: argparse.Namespace) -> bool:
    """Whether another program answers, which may be silent for too long."""
    return options.command is not None or options.endpoint is not None


def timeout_seconds(options: argparse.Namespace) -> float:
    """How long one answer is waited for."""
    return TIMEOUT_SECONDS if options.timeout is None else float(options.timeout)


def endpoint_model(options: argparse.Namespace) -> str:
    """What a server calls its model."""
    return ENDPOINT_MODEL if options.endpoint_model is None else str(options.endpoint_model)


def endpoint_key(options: argparse.Namespace) -> str:
    """The key of a server, "" for none."""
    return os.environ.get(KEY_VARIABLE if options.key_variable is None else options.key_variable, "")


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
