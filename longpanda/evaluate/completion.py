"""Parse a server's response: a chat completion becomes a `Reply`, anything else a `Trouble` of some kind.

The protocol is OpenAI's (https://platform.openai.com/docs/api-reference/chat). The tests contain responses of other
servers.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from longpanda.errors import ErrorKind
from longpanda.types import Reply

_QUOTED: Final = 300
"""Number of characters of a response that messages quote."""
_DENIED: Final = {301, 302, 303, 307, 308, 401, 402, 403, 404, 405, 407}
"""Statuses for a wrong address, key or model, or missing credit."""
_STATUS_KINDS: Final = {408: ErrorKind.TIMEOUT, 504: ErrorKind.TIMEOUT, 524: ErrorKind.TIMEOUT} | dict.fromkeys(
    (425, 429, 503, 529), ErrorKind.BUSY
)
"""Temporary statuses, in addition to all others from 500 on."""
_CODES: Final = {
    ErrorKind.DENIED: {
        *("insufficient_quota", "billing_not_active", "billing_hard_limit_reached", "exceeded_current_quota_error"),
        *("invalid_api_key", "api_key_invalid", "model_not_found", "invalid_model", "deploymentnotfound"),
    },
    ErrorKind.FILTERED: {
        *("content_filter", "content_policy_violation", "moderation_blocked", "data_inspection_failed"),
        "responsibleaipolicyviolation",
    },
    ErrorKind.TOO_LARGE: {"context_length_exceeded", "exceed_context_size_error", "request_too_large"},
}
"""Codes and types of errors, in lower case."""
_TELLING: Final = ("code", "type", "status", "reason", "innererror")
"""Keys of these values."""
_MODERATED: Final = "flagged_input"
"""A field of an error's metadata that distinguishes a filter from a wrong key on OpenRouter."""
_LIMIT: Final = r"too many|too much|too large|too long|too big|at most|up to|more than|fewer|maximum|max\b|limit|exceed"
_TOO_MANY: Final = re.compile(
    rf"(?:{_LIMIT})[^.]*\bimages?\b|\bimages?\b[^.]*(?:{_LIMIT})|\bcontext (?:length|window|size)", re.IGNORECASE
)
_TOO_LARGE: Final = re.compile(
    r"payload too large|request (?:body |entity )?(?:is )?too large|prompt is too long|too many (?:\w+ )?tokens",
    re.IGNORECASE,
)
"""Messages about limits on pictures, bytes or tokens, from servers without a code for them. A busy server may limit the
images per minute, so for temporary statuses only the second pattern counts."""
_BLIND: Final = re.compile(
    r"(?:not|n't|no)\b[^.]*\bsupport[^.]*\bimages?\b|\bimages?\b[^.]*(?:not|n't)\b[^.]*\bsupport", re.IGNORECASE
)
"""Messages of a model without image input."""


@dataclass(frozen=True)
class Trouble:
    """A request that failed.

    Args:
        kind: kind of the error.
        said: what the server did, as in "answered 503 'come back later'".
        may_pass: whether the error is temporary.
        retry_after: the Retry-After header, or "".
        refused: optional fields of the request that the server does not accept.
    """

    kind: ErrorKind
    said: str
    may_pass: bool = False
    retry_after: str = ""
    refused: tuple[str, ...] = ()


def read_answer(text: str, fields: Iterable[str]) -> Reply | Trouble:
    """Parse a response with a status of success, which may still contain an error.

    Args:
        text: body of the response.
        fields: names of the optional fields of the request.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return Trouble(ErrorKind.MALFORMED, f"answered with something other than JSON: {text[:_QUOTED]!r}")
    value = value if isinstance(value, dict) else {}
    choices = value.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    for failed in (value, choice):
        if failed.get("error") or failed.get("object") == "error":
            said = json.dumps(failed["error"]) if failed.get("error") else text
            told = f"answered with an error: {said[:_QUOTED]!r}"
            return replace(read_failure(_status_in(failed), said, fields), said=told)
    message = choice.get("message")
    if not isinstance(message, dict):
        return Trouble(ErrorKind.MALFORMED, f"answered without a message: {text[:_QUOTED]!r}")
    return _reply(message, choice.get("finish_reason"), value.get("usage"))


def read_failure(status: int, text: str, fields: Iterable[str], retry_after: str = "") -> Trouble:
    """Parse a response with any other status, or an error inside a response.

    Args:
        status: HTTP status.
        text: body of the response.
        fields: names of the optional fields of the request.
        retry_after: the Retry-After header.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    kind, may_pass = _kind(status, value)
    said = f"answered {status} {text[:_QUOTED]!r}"
    refused = tuple(_refused(value, fields)) if kind is ErrorKind.REJECTED else ()
    return Trouble(kind, said, may_pass, retry_after, refused)


def _kind(status: int, value: Any) -> tuple[ErrorKind, bool]:
    """Return the kind of an error, and whether it is temporary."""
    told, words = {code.lower() for code in _under(value, _TELLING)}, " ".join(_strings(value))
    for kind, codes in _CODES.items():
        if told & codes:
            return kind, False
    if status in _DENIED:
        moderated = status == 403 and any(_under(value, (_MODERATED,)))
        return (ErrorKind.FILTERED if moderated else ErrorKind.DENIED), False
    if status == 413 or _TOO_LARGE.search(words):
        return ErrorKind.TOO_LARGE, False
    if status in _STATUS_KINDS:
        return _STATUS_KINDS[status], True
    is_down = status >= 500
    meant = ((_TOO_MANY, ErrorKind.TOO_LARGE), (_BLIND, ErrorKind.DENIED))
    otherwise = ErrorKind.FAILED if is_down else ErrorKind.REJECTED
    return next((kind for pattern, kind in meant if pattern.search(words)), otherwise), is_down


def _refused(value: Any, fields: Iterable[str]) -> Iterator[str]:
    """Yield the fields that an error names as its parameter, or, if there are none, anywhere in its text."""
    known = list(fields)
    named = {*_under(value, ("param", "loc"))} & {*known}
    words = " ".join(_strings(value))
    yield from (name for name in known if name in named or (not named and re.search(rf"\b{re.escape(name)}\b", words)))


def _under(value: Any, keys: tuple[str, ...]) -> Iterator[str]:
    """Yield all strings and numbers under one of the keys, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(inner) if key in keys else _under(inner, keys)
    elif isinstance(value, list):
        for inner in value:
            yield from _under(inner, keys)


def _strings(value: Any) -> Iterator[str]:
    """Yield all strings and numbers, except in "input", in which some servers repeat the request."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from () if key == "input" else _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
    elif isinstance(value, str | int):
        yield str(value)


def _status_in(value: dict[str, Any]) -> int:
    """Return the status in the `code` of an error, or 500 if it has none."""
    error = value.get("error")
    code = error.get("code") if isinstance(error, dict) else value.get("code")
    told = str(code)
    return int(told) if re.fullmatch(r"[345]\d\d", told) else 500


def _reply(message: dict[str, Any], finish_reason: Any, usage: Any) -> Reply | Trouble:
    """Return the reply in a message; its text is empty if there is none."""
    ended = None if finish_reason is None else str(finish_reason)
    parts = [*_parts(message.get("content"))]
    text = "".join(words for kind, words in parts if kind == "text")
    thoughts = [words for kind, words in parts if kind == "thinking"]
    for name in ("reasoning_content", "reasoning", "thinking"):
        thoughts += [message[name]] if isinstance(message.get(name), str) else []
    refusals = [words for kind, words in parts if kind == "refusal"]
    refusals += [message["refusal"]] if isinstance(message.get("refusal"), str) else []
    if not text.strip() and any(refusals):
        text, ended = " ".join(refusals), "refusal"
    elif not text.strip() and (message.get("tool_calls") or message.get("function_call")):
        ended = "tool_calls"
    counts = usage if isinstance(usage, dict) else {}
    return Reply(
        text,
        prompt_tokens=_count(counts, "prompt_tokens", "input_tokens"),
        answer_tokens=_count(counts, "completion_tokens", "output_tokens"),
        finish_reason=ended,
        thinking="\n".join(dict.fromkeys(filter(None, thoughts))),
    )


def _parts(content: Any) -> Iterator[tuple[str, str]]:
    """Yield (kind, text) for a content: a text, a part, or a list of them. Kinds are text, thinking and refusal."""
    if isinstance(content, str):
        yield "text", content
    elif isinstance(content, list):
        for part in content:
            yield from _parts(part)
    elif isinstance(content, dict):
        kind = str(content.get("type", "text"))
        if kind in ("text", "output_text", "summary_text"):
            yield "text", str(content.get("text") or "")
        elif kind in ("thinking", "reasoning", "reasoning_text"):
            inner = next(
                (content[name] for name in ("thinking", "text", "reasoning", "summary") if content.get(name)), None
            )
            yield from (("thinking", words) for _, words in _parts(inner))
        elif kind == "refusal":
            yield "refusal", str(content.get("refusal") or "")


def _count(counts: dict[str, Any], *names: str) -> int | None:
    """Return the first of the named counts that is a whole number."""
    return next((n for name in names if isinstance(n := counts.get(name), int) and not isinstance(n, bool)), None)
