"""Detect replies that are not answers (empty, cut off or withheld), by the same rules for all answerers."""

from typing import Final

from longpanda.errors import AnswererError, ContextError, ErrorKind, LongPandaError, VideoError, counted
from longpanda.types import Reply

_WHOLE: Final = {"stop", "stop_sequence", "eos", "eos_token", "end_turn", "complete", "completed", "done"}
"""Finish reasons of complete answers, in lower case; most servers use "stop"."""
_ENDS: Final = {
    ErrorKind.CUT: {"length", "max_tokens", "max_output_tokens", "model_length"},
    ErrorKind.FILTERED: {
        *{"content_filter", "refusal", "safety", "recitation", "blocklist", "prohibited_content", "spii", "sensitive"}
    },
    ErrorKind.FAILED: {"error", "abort", "network_error", "insufficient_system_resource"},
    ErrorKind.MALFORMED: {"tool_calls", "tool_use", "function_call"},
}
"""Finish reasons of other replies: those of OpenAI, vLLM, TGI, Gemini, Mistral, DeepSeek, GLM and Anthropic."""
_PROBLEMS: Final = {
    ErrorKind.CUT: ("was cut off", "allow longer answers with --answer-tokens, or in the command"),
    ErrorKind.FILTERED: ("was withheld by a filter, or refused", "use another model if this happens again"),
    ErrorKind.FAILED: ("ended because the system failed", "ask again, and see its log if this happens again"),
    ErrorKind.MALFORMED: ("is a tool call", "disable the tools of the system"),
}
_QUOTED: Final = 80


def why_no_answer(reply: Reply) -> AnswererError | None:
    """Return why a reply, whose thinking has been removed, is not an answer; None for an answer.

    An unknown finish reason counts as cut off: a right answer that is taken for an error is asked again, but an error
    that is taken for a wrong answer is not.
    """
    end = (reply.finish_reason or "").lower()
    if end and end not in _WHOLE:
        kind = next((kind for kind, ends in _ENDS.items() if end in ends), ErrorKind.CUT)
        what, remedy = _PROBLEMS[kind]
        quote = f", after {reply.text[-_QUOTED:]!r}" if reply.text else ""
        return AnswererError(f"the answer {what} ('{reply.finish_reason}'){quote}", "a complete one", remedy, kind)
    if reply.text:
        return None
    found, remedy = "an empty answer", "ask again, and see the system's log if this happens again"
    if reply.thinking:
        found = f"{counted(len(reply.thinking), 'character')} of thinking and no answer"
        remedy = "allow longer answers with --answer-tokens, or turn thinking off"
    return AnswererError(found, "some text", remedy, ErrorKind.EMPTY)


def kind_of(error: LongPandaError) -> ErrorKind:
    """Return the kind of an error that an answerer raised."""
    match error:
        case AnswererError():
            return error.kind
        case ContextError():
            return ErrorKind.TOO_LARGE
        case VideoError():
            return ErrorKind.VIDEO
        case _:
            return ErrorKind.OTHER
