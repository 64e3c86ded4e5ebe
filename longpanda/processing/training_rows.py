"""Rows of a training batch: ids, labels, positions and block ids of one example, or of a pack of conversations."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from longpanda.errors import PromptError
from longpanda.processing.labels import IGNORED
from longpanda.processing.messages import plain
from longpanda.processing.prompt import expand, media_ids
from longpanda.types import VIDEO_TOKEN, Conversation, Example, Timeline, Turn

if TYPE_CHECKING:
    from longpanda.processing.processor import LongPandaProcessor


@dataclass
class Row:
    """One row of a batch; all lists have one value for each token.

    Args:
        input_ids: token ids.
        labels: the tokens that are to be learned, else `IGNORED`.
        position_ids: places that the language model counts from; each block counts by itself behind what it sees.
        block_ids: which block each token belongs to: block 0 is seen by all, the others see it and themselves.
    """

    input_ids: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    position_ids: list[int] = field(default_factory=list)
    block_ids: list[int] = field(default_factory=list)

    def extend(self, ids: Sequence[int], labels: Sequence[int], position: int, block: int) -> None:
        """Add tokens of one block whose first has this position."""
        self.input_ids += ids
        self.labels += labels
        self.position_ids += range(position, position + len(ids))
        self.block_ids += [block] * len(ids)

    @property
    def is_one_text(self) -> bool:
        """Whether every token sees all tokens before it, as any causal language model reads a text."""
        return len(set(self.block_ids) - {0}) <= 1


def example_row(processor: "LongPandaProcessor", example: Example, timeline: Timeline) -> Row:
    """An example's row: block 0 is the clip, and the i-th question with its answer is block i + 1.

    Raises:
        PromptError: as `LongPandaProcessor.training_batch`.
    """
    media = media_ids(processor.tokenizer, timeline, processor.video_token_id)
    row = Row()
    if not example.samples:
        row.extend(media, [IGNORED] * len(media), 0, 0)
    for number, sample in enumerate(example.samples):
        asked, whole = _asked_and_answered(processor, sample.question, sample.target)
        marker = asked.index(processor.video_token_id)
        head = list(asked[:marker]) + media
        if number == 0:
            row.extend(head, [IGNORED] * len(head), 0, 0)
        tail = list(whole[marker + 1 :])
        hidden = len(asked) - marker - 1
        row.extend(tail, [IGNORED] * hidden + tail[hidden:], len(head), number + 1)
    return row


def pack_row(processor: "LongPandaProcessor", pack: Sequence[Conversation], timelines: Sequence[Timeline]) -> Row:
    """A row of conversations, each a block that sees itself only.

    Args:
        processor: whose chat format and tokenizer are used.
        pack: the conversations.
        timelines: of all clips of all conversations, in order.

    Raises:
        PromptError: as `LongPandaProcessor.training_batch`.
    """
    row, left = Row(), iter(timelines)
    for number, conversation in enumerate(pack):
        media = [media_ids(processor.tokenizer, next(left), processor.video_token_id) for _ in conversation.clips]
        ids, is_learned = conversation_ids(processor, conversation.turns)
        prompt = expand(ids, media, processor.video_token_id)
        sizes = iter(len(one) for one in media)
        labels: list[int] = []
        for token, learned in zip(ids, is_learned, strict=True):
            is_marker = token == processor.video_token_id
            labels += [IGNORED] * next(sizes) if is_marker else [token if learned else IGNORED]
        row.extend(prompt.input_ids, labels, 0, number + 1)
    return row


def conversation_ids(processor: "LongPandaProcessor", turns: Sequence[Turn]) -> tuple[list[int], list[bool]]:
    """Token ids of a conversation up to the end of its last answer, and which of them are learned: all answers.

    Markers stay single tokens. The text is what `apply_chat_template` writes for the same messages.

    Raises:
        PromptError: the chat template writes a turn otherwise once another follows, or refuses the messages.
    """
    messages = plain([{"role": turn.role, "content": _parts(turn)} for turn in turns])
    ids: list[int] = []
    is_learned: list[bool] = []
    for number, turn in enumerate(turns):
        if turn.role != "assistant":
            continue
        asked = processor.chat_ids(messages[:number], is_answered=False)
        whole = processor.chat_ids(messages[: number + 1], is_answered=True)
        if whole[: len(asked)] != asked or asked[: len(ids)] != ids:
            found = f"a chat template that writes {messages[number]['content'][:40]!r} otherwise in another place"
            raise PromptError(found, "the same tokens whatever follows", "give the tokenizer another chat template")
        end = whole.index(processor.end_token_id, len(asked)) + 1
        is_learned += [False] * (len(asked) - len(ids)) + [True] * (end - len(asked))
        ids = whole[:end]
    return ids, is_learned


def _parts(turn: Turn) -> Any:
    """A turn's text as parts of a message, so that media stand on lines of their own as everywhere else."""
    if turn.role != "user":
        return turn.text
    parts: list[dict[str, str]] = []
    for number, text in enumerate(turn.text.split(VIDEO_TOKEN)):
        parts += [{"type": "video"}] * (number > 0)
        parts += [{"type": "text", "text": text.strip()}] * bool(text.strip())
    return parts


@lru_cache(maxsize=65536)
def _asked_and_answered(processor: "LongPandaProcessor", question: str, target: str) -> tuple[tuple[int, ...], ...]:
    """Return the ids of the prompt, and of the prompt with its answer up to the end token.

    The result is cached, because training asks the same questions about many clips.
    """
    texts = processor.chat(question), processor.chat(question, target)
    asked, whole = (tuple(processor.tokenizer.encode(text, add_special_tokens=False)) for text in texts)
    if whole[: len(asked)] != asked:
        found = f"a chat template whose prompt changes when the answer follows: {texts[0]!r} and {texts[1]!r}"
        raise PromptError(found, "the answer after the same tokens", "give the tokenizer another chat template")
    return asked, whole[: whole.index(processor.end_token_id, len(asked)) + 1]
