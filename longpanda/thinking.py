"""What a model writes on the way to its answer and behind it, taken off before the answer is read."""

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
"""How thinking begins and ends, as regular expressions: the tags of DeepSeek-R1, Qwen3, GLM, Hunyuan and Seed-OSS, then
those of Magistral, Kimi-VL, OpenThinker, Command A and the channels of gpt-oss and Gemma 4."""
_BARE_CHANNELS: Final = re.compile(r"\s*analysis(?P<thought>.*)assistantfinal(?P<answer>.*)", re.DOTALL)
"""The channels of gpt-oss where a server has dropped the special tokens and left the words between them."""
_ENDS: Final = re.compile(
    r"(?:(?:<\|return\|>|<\|end\|>|<\|im_end\|>|<\|endoftext\|>|<turn\|>|<eos>|<end_of_turn>|</s>|<\|eot_id\|>)\s*)+\Z"
)
"""Tokens that end an answer, which some servers leave behind it: those of gpt-oss, Qwen, Gemma, Llama and Mistral."""


def without_thinking(text: str) -> tuple[str, str]:
    """The answer in what a model wrote, and the thinking that came with it.

    Everything between a mark where thinking begins and the next one where it ends is thinking. So is all that comes
    before an end without a beginning (many chat templates write the beginning into the prompt), and all that comes
    after a beginning without an end: whoever was cut off while thinking has not answered. Tokens that end an answer are
    no part of it.

    Args:
        text: as it was written.

    Returns:
        the answer and the thinking, both without spaces around them; either may be "".
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
    """A text without the thinking between marks of one kind, in one pass, and the thoughts."""
    answer: list[str] = []
    thoughts: list[str] = []
    at, is_thinking = 0, False
    for mark in re.finditer(rf"(?P<open>{opened})|{closed}", text, re.IGNORECASE):
        if mark["open"]:
            if is_thinking:  # a mark within a thought is a word of it
                continue
            answer.append(text[at : mark.start()])
        else:
            thoughts += [*([] if is_thinking else answer), text[at : mark.start()]]
            answer = answer if is_thinking else []
        at, is_thinking = mark.end(), bool(mark["open"])
    (thoughts if is_thinking else answer).append(text[at:])
    return "".join(answer), thoughts
