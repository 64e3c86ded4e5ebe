"""The system chosen by the options of `longpanda longwatch run`."""

import argparse
import shlex
from typing import TYPE_CHECKING

from longpanda.cli.endpoint_options import (
    answer_tokens,
    endpoint_key,
    endpoint_model,
    patience_seconds,
    request_of,
    require_endpoint,
    timeout_seconds,
)
from longpanda.errors import ConfigError
from longpanda.harness.defaults import ENDPOINT_FRAMES

if TYPE_CHECKING:
    from longpanda.harness.systems import System


def system_of(options: argparse.Namespace) -> "System":
    """Return the chosen system. Raises ConfigError for an option that it does not have, or an impossible value."""
    from longpanda.harness.systems import CommandSystem, EndpointSystem, ModelSystem, OracleSystem

    _require_fitting(options)
    if options.command is not None:
        return CommandSystem(tuple(_words_of(options.command)), timeout_seconds(options))
    if options.endpoint is not None:
        return EndpointSystem(
            url=options.endpoint,
            model=endpoint_model(options),
            frames=ENDPOINT_FRAMES if options.frames is None else options.frames,
            key=endpoint_key(options),
            timeout_seconds=timeout_seconds(options),
            patience_seconds=patience_seconds(options),
            request=request_of(options),
        )
    if options.oracle:
        return OracleSystem()
    return ModelSystem(options.model, options.frames, answer_tokens(options), options.device, options.dtype)


def _require_fitting(options: argparse.Namespace) -> None:
    """Raises ConfigError for an option that the chosen system does not have."""
    if options.frames is not None and (options.command is not None or options.oracle):
        raise ConfigError("--frames for a command or the oracle", "it with --model or --endpoint", "leave it out")
    if options.answer_tokens is not None and (options.command is not None or options.oracle):
        found = "--answer-tokens for a command or the oracle"
        raise ConfigError(found, "it with --model or --endpoint", "leave it out, or tell the command itself")
    require_endpoint(options)
    if options.model is None and (options.device, options.dtype) != (None, None):
        raise ConfigError("--device or --dtype without --model", "one of our models", "leave them out")


def _words_of(command: str) -> list[str]:
    """Split a command into words as a shell would. Raises ConfigError for an empty one or an open quote."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ConfigError(f"--command of a bad form ({error})", "a command as in a shell", "close the quote") from error
    if not words:
        raise ConfigError("an empty --command", "a program and its arguments", "name one")
    return words
