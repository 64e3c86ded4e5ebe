"""Which system the options of `longpanda longwatch run` name."""

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
    """Who is asked. Raises ConfigError where an option means nothing to it, or has no such value."""
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
    """Raises ConfigError where an option is given to a system that it means nothing to."""
    if options.frames is not None and (options.command is not None or options.oracle):
        raise ConfigError("--frames for a command or the oracle", "one that samples for itself", "leave it out")
    if options.answer_tokens is not None and (options.command is not None or options.oracle):
        found = "--answer-tokens for a command or the oracle"
        raise ConfigError(found, "it with --model or --endpoint", "leave it out, or tell the command itself")
    require_endpoint(options)
    if options.model is None and (options.device, options.dtype) != (None, None):
        raise ConfigError("--device or --dtype without --model", "one of our models", "leave them out")


def _words_of(command: str) -> list[str]:
    """The words of a command, as a shell would split them. Raises ConfigError where there are none."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ConfigError(f"--command with a mistake ({error})", "a command as in a shell", "close it") from error
    if not words:
        raise ConfigError("an empty --command", "a program and its arguments", "name one")
    return words
