"""Removal of thinking and end tokens from what a model writes, before its answer is read."""

import re
from typing import Final

_NAMES: Final = r"(?:seed:)?(?:think|thinking|thought|thoughts|reasoning|reflection)"
_OPEN: Final = rf"<{_NAMES}(?:\s[^<>]*)?>"
_CLOSE: Final = rf"</{_NAMES}\s*>"
_PATTERNS: Final = (
    (_OPEN, _CLOSE),
    (r"\[THINK\]", r"\[/THINK\]"),
    (r"◁think▷", r"◁/think▷"),
    (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),
    (r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),
    (r"<\|channel\|>(?:analysis|commentary)\b", r"<\|channel\|>final<\|message\|>"),
    (r"<\|channel>thought\b", r"<channel\|>"),
)
"""Regular expressions for begin and end of thinking: the tags of DeepSeek-R1, Qwen3, GLM, Hunyuan and Seed-OSS, then
those of Magistral, Kimi-VL, OpenThinker and Command A, and the channels of gpt-oss and Gemma 4."""
_BARE_CHANNELS: Final = re.compile(r"\s*analysis(?P<thought>.*)assistantfinal(?P<answer>.*)", re.DOTALL)
"""The channels of gpt-oss from a server that dropped the special tokens and kept the words between them."""
_ENDS: Final = re.compile(
    r"(?:(?:<\|return\|>|<\|end\|>|<\|im_end\|>|<\|endoftext\|>|<turn\|>|<eos>|<end_of_turn>|</s>|<\|eot_id\|>)\s*)+\Z"
)
"""Tokens that end an answer, which some servers do not remove: those of gpt-oss, Qwen, Gemma, Llama and Mistral."""


def without_thinking(text: str) -> tuple[str, str]:
    """Separate a model's answer from its thinking.

    Everything from a begin mark to the next end mark is thinking. So is everything before an end mark without a begin
    mark (many chat templates put the begin mark into the prompt), and everything after a begin mark without an end
    mark, since a model that was cut off while thinking has not answered. Tokens that end an answer are removed.

    Args:
        text: the model's output.

    Returns:
        the answer and the thinking, both stripped of spaces; either may be "".
    """
    thoughts: list[str] = []
    text = _ENDS.sub("", text)
    if bare := _BARE_CHANNELS.fullmatch(text):
        text, thoughts = bare["answer"], [bare["thought"]]
    for opened, closed in _PATTERNS:
        text, more = _parted(text, opened, closed)
        thoughts += more
    return text.strip(), "\n".join(filter(None, map(str.strip, thoughts)))


def _parted(text: str, opened: str, closed: str) -> tuple[str, list[str]]:
    """Return a text without the thinking between marks of one kind, and the thoughts, in one pass."""
    answer: list[str] = []
    thoughts: list[str] = []
    at, is_thinking = 0, False
    for mark in re.finditer(rf"(?P<open>{opened})|{closed}", text, re.IGNORECASE):
        if mark["open"]:
            if is_thinking:  # a begin mark within thinking is part of it
                continue
            answer.append(text[at : mark.start()])
        else:
            thoughts += [*([] if is_thinking else answer), text[at : mark.start()]]
            answer = answer if is_thinking else []
        at, is_thinking = mark.end(), bool(mark["open"])
    (thoughts if is_thinking else answer).append(text[at:])
    return "".join(answer), thoughts
