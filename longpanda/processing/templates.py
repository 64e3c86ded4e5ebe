"""Renders messages by a chat template, as transformers does, with clear errors."""

from collections.abc import Sequence
from typing import Any

import jinja2

from longpanda.errors import ConfigError, PromptError

BOS = "begins_with_bos"
"""A variable for chat templates: whether the tokenizer puts its bos_token before a text.

Prompts are encoded without added tokens, so a template for any tokenizer has to write bos_token itself where the
language model expects it.
"""


def names_in(template: str) -> frozenset[str]:
    """Return all names in a chat template. Raises ConfigError if it is not valid Jinja."""
    try:
        return frozenset(word for _, kind, word in jinja2.Environment().lex(template) if kind == "name")
    except jinja2.TemplateSyntaxError as error:
        raise _invalid_template(error) from error


def rendered(tokenizer: Any, conversations: Sequence[Any], template: str, **kwargs: Any) -> list[str]:
    """Render conversations, whose messages are plain text, by a chat template.

    Args:
        tokenizer: provides the special tokens.
        conversations: lists of messages with `role` and `content`.
        template: the chat template.
        **kwargs: options of the tokenizer's `apply_chat_template`, and variables of the template.

    Raises:
        PromptError: the template refuses the messages.
        ConfigError: the template is not valid Jinja.
    """
    if BOS in names_in(template):
        kwargs[BOS] = _begins_with_bos(tokenizer)
    try:
        texts: list[str] = tokenizer.apply_chat_template(
            list(conversations), chat_template=template, tokenize=False, **kwargs
        )
    except jinja2.TemplateSyntaxError as error:
        raise _invalid_template(error) from error
    except jinja2.TemplateError as error:
        found = f"messages that the chat template does not take: {error.message}"
        raise PromptError(found, "messages that it accepts", "change them, or pass another chat_template") from error
    return texts


def _begins_with_bos(tokenizer: Any) -> bool:
    usual, bare = tokenizer.encode("a"), tokenizer.encode("a", add_special_tokens=False)
    return tokenizer.bos_token is not None and [tokenizer.bos_token_id] == usual[:1] != bare[:1]


def _invalid_template(error: jinja2.TemplateSyntaxError) -> ConfigError:
    found = f"a chat template that is not valid Jinja: {error.message} (line {error.lineno})"
    return ConfigError(found, "a Jinja template as of transformers", "fix that line, or leave chat_template out")
