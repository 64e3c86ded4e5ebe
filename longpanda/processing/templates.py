"""Messages to text by a chat template, as transformers writes them, with errors that say what is wrong."""

from collections.abc import Sequence
from typing import Any

import jinja2

from longpanda.errors import ConfigError, PromptError

BOS = "begins_with_bos"
"""Passed to templates that use it: does the tokenizer put its bos_token before a text by itself?

Prompts are encoded as a template writes them, with nothing added. One for any tokenizer has to know what a language
model is used to.
"""


def names_in(template: str) -> frozenset[str]:
    """Every name that a chat template uses. Raises ConfigError: it is no Jinja."""
    try:
        return frozenset(word for _, kind, word in jinja2.Environment().lex(template) if kind == "name")
    except jinja2.TemplateSyntaxError as error:
        raise _no_jinja(error) from error


def written(tokenizer: Any, conversations: Sequence[Any], template: str, **kwargs: Any) -> list[str]:
    """Conversations, whose messages are text, as a chat template writes them.

    Args:
        tokenizer: whose special tokens it may use.
        conversations: each a list of messages with `role` and `content`.
        template: the chat template.
        **kwargs: what transformers' `apply_chat_template` passes on to it.

    Raises:
        PromptError: it refuses the messages.
        ConfigError: it is no Jinja.
    """
    if BOS in names_in(template):
        kwargs[BOS] = _begins_with_bos(tokenizer)
    try:
        texts: list[str] = tokenizer.apply_chat_template(
            list(conversations), chat_template=template, tokenize=False, **kwargs
        )
    except jinja2.TemplateSyntaxError as error:
        raise _no_jinja(error) from error
    except jinja2.TemplateError as error:
        found = f"messages that the chat template does not take: {error.message}"
        raise PromptError(found, "what it is written for", "change them, or give another chat_template") from error
    return texts


def _begins_with_bos(tokenizer: Any) -> bool:
    usual, bare = tokenizer.encode("a"), tokenizer.encode("a", add_special_tokens=False)
    return tokenizer.bos_token is not None and [tokenizer.bos_token_id] == usual[:1] != bare[:1]


def _no_jinja(error: jinja2.TemplateSyntaxError) -> ConfigError:
    found = f"a chat template that is no Jinja: {error.message} (line {error.lineno})"
    return ConfigError(found, "one as transformers writes them", "correct it, or leave chat_template out")
