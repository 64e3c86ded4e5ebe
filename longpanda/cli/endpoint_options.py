"""Options of `longpanda longwatch run` for servers: those of --endpoint, and those it shares with other systems."""

import argparse
import json
import os
from typing import TYPE_CHECKING, Any, Final

from longpanda.harness.defaults import ENDPOINT_MODEL, PATIENCE_SECONDS, TIMEOUT_SECONDS

if TYPE_CHECKING:
    from longpanda.evaluate import Request

KEY_VARIABLE: Final = "OPENAI_API_KEY"
_ENDPOINT_ONLY: Final = ("endpoint_model", "key_variable", "temperature", "limit_field", "extra_body", "patience")
"""Options for --endpoint only. argparse gives them no default, so that None means not given."""


def add_endpoint_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that only servers, or also commands and models, have."""
    add = parser.add_argument
    add(
        "--endpoint-model",
        metavar="NAME",
        help=f"name of the model on the --endpoint server (default: {ENDPOINT_MODEL})",
    )
    add(
        "--key-variable",
        metavar="NAME",
        help=f"environment variable that holds the API key of --endpoint (default: {KEY_VARIABLE})",
    )
    add("--temperature", type=float, metavar="T", help="sampling temperature, for --endpoint (default: 0)")
    add(
        "--limit-field",
        metavar="NAME",
        help="field with the limit on answers of --endpoint: max_tokens or max_completion_tokens (default: max_tokens, "
        "then the other if the server refuses it)",
    )
    add(
        "--extra-body",
        metavar="JSON",
        help="JSON object with extra fields for every request to --endpoint; null removes one of ours (default: none)",
    )
    add(
        "--patience",
        type=float,
        metavar="S",
        help="total seconds to wait between retries of one question while --endpoint is busy or fails (default: "
        f"{PATIENCE_SECONDS:g})",
    )
    add(
        "--timeout",
        type=float,
        metavar="S",
        help=f"seconds to wait for one answer of --command or --endpoint (default: {TIMEOUT_SECONDS:g})",
    )


def require_endpoint(options: argparse.Namespace) -> None:
    """Raises ConfigError for an option that the chosen system does not have."""
    from longpanda.errors import ConfigError

    if options.timeout is not None and not has_timeout(options):
        found = "--timeout without --command or --endpoint"
        raise ConfigError(found, "--timeout with one of them", "leave it out")

    for name in _ENDPOINT_ONLY:
        if options.endpoint is None and getattr(options, name) is not None:
            option = f"--{name.replace('_', '-')}"
            raise ConfigError(f"{option} without --endpoint", "--endpoint with it", "leave it out")


def answer_tokens(options: argparse.Namespace) -> int:
    """Return the limit on answers in tokens. Raises ConfigError for less than 1."""
    from longpanda.errors import ConfigError
    from longpanda.types import ANSWER_TOKENS

    most = ANSWER_TOKENS if options.answer_tokens is None else int(options.answer_tokens)
    if most < 1:
        raise ConfigError(f"--answer-tokens {most}", "at least 1", "raise it")
    return most


def request_of(options: argparse.Namespace) -> "Request":
    """Return the settings of requests to a server. Raises ConfigError for impossible ones."""
    from longpanda.evaluate import Request

    return Request(
        answer_tokens=answer_tokens(options),
        temperature=options.temperature or 0.0,
        extra=_extra(options.extra_body),
        **({} if options.limit_field is None else {"limit_field": options.limit_field}),
    )


def patience_seconds(options: argparse.Namespace) -> float:
    """Return how long to wait between all retries of one question."""
    return PATIENCE_SECONDS if options.patience is None else float(options.patience)


def has_timeout(options: argparse.Namespace) -> bool:
    """Return whether --timeout applies: a program or server answers, which may hang."""
    return options.command is not None or options.endpoint is not None


def timeout_seconds(options: argparse.Namespace) -> float:
    """Return how long to wait for one answer."""
    return TIMEOUT_SECONDS if options.timeout is None else float(options.timeout)


def endpoint_model(options: argparse.Namespace) -> str:
    """Return the server's name of the model."""
    return ENDPOINT_MODEL if options.endpoint_model is None else str(options.endpoint_model)


def endpoint_key(options: argparse.Namespace) -> str:
    """Return the API key of the server, "" for none."""
    return os.environ.get(KEY_VARIABLE if options.key_variable is None else options.key_variable, "")


def _extra(text: str | None) -> dict[str, Any]:
    """Parse --extra-body."""
    from longpanda.errors import ConfigError
    from longpanda.evaluate.masking import masked

    try:
        value = json.loads(text or "{}")
    except ValueError as error:
        raise ConfigError(f"--extra-body is not JSON ({error})", "a JSON object", "fix the JSON") from error
    if not isinstance(value, dict):
        raise ConfigError(f"--extra-body {masked(str(text))[:80]}", "a JSON object", 'write {"FIELD": VALUE}')
    return value
