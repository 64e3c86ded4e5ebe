"""When what an answerer says is no answer: empty, cut off, withheld. One rule for all of them."""

from typing import Final

from longpanda.errors import AnswererError, ContextError, ErrorKind, LongPandaError, VideoError, counted
from longpanda.types import Reply

_WHOLE: Final = {"stop", "stop_sequence", "eos", "eos_token", "end_turn", "complete", "completed", "done"}
"""Ends of answers that are whole, in lower case; most servers say "stop"."""
_ENDS: Final = {
    ErrorKind.CUT: {"length", "max_tokens", "max_output_tokens", "model_length"},
    ErrorKind.FILTERED: {
        *{"content_filter", "refusal", "safety", "recitation", "blocklist", "prohibited_content", "spii", "sensitive"}
    },
    ErrorKind.FAILED: {"error", "abort", "network_error", "insufficient_system_resource"},
    ErrorKind.MALFORMED: {"tool_calls", "tool_use", "function_call"},
}
"""Ends of answers that are none: OpenAI's, and those of vLLM, TGI, Gemini, Mistral, DeepSeek, GLM and Anthropic."""
_SAID: Final = {
    ErrorKind.CUT: ("was cut off", "allow longer answers, with --answer-tokens, or within the command"),
    ErrorKind.FILTERED: ("was withheld by a filter, or refused", "ask another model where that stays so"),
    ErrorKind.FAILED: ("ended because the system failed", "ask again, and see its log where that stays so"),
    ErrorKind.MALFORMED: ("is a call of a tool", "let the system answer in words"),
}
_QUOTED: Final = 80


def why_no_answer(reply: Reply) -> AnswererError | None:
    """What keeps a reply, whose thinking has been taken off, from being an answer; None for an answer.

    An end that nobody knows is taken for a cut: a right answer that is called an error is asked again, and an error
    that is called a wrong answer is not.
    """
    end = (reply.finish_reason or "").lower()
    if end and end not in _WHOLE:
        kind = next((kind for kind, ends in _ENDS.items() if end in ends), ErrorKind.CUT)
        what, remedy = _SAID[kind]
        said = f", after {reply.text[-_QUOTED:]!r}" if reply.text else ""
        return AnswererError(f"the answer {what} ('{reply.finish_reason}'){said}", "a whole one", remedy, kind)
    if reply.text:
        return None
    found, remedy = "an empty answer", "ask again, and see the system's log where that stays so"
    if reply.thinking:
        found = f"thinking, {counted(len(reply.thinking), 'letter')} of it, and no answer"
        remedy = "allow longer answers, with --answer-tokens, or turn thinking off"
    return AnswererError(found, "some text", remedy, ErrorKind.EMPTY)


def kind_of(error: LongPandaError) -> ErrorKind:
    """Why there is no answer, of whatever an answerer raised."""
    match error:
        case AnswererError():
            return error.kind
        case ContextError():
            return ErrorKind.TOO_LARGE
        case VideoError():
            return ErrorKind.VIDEO
        case _:
            return ErrorKind.OTHER
