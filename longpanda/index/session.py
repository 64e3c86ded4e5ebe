"""A video read once and asked often: the one way from a file to an answer."""

import dataclasses
import resource
import sys
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longpanda.errors import ConfigError, CutVideoError
from longpanda.types import Answer, VideoClip
from longpanda.video import Sampling, decode, probe

if TYPE_CHECKING:
    from longpanda.model.modeling import LongPandaForConditionalGeneration
    from longpanda.processing import LongPandaProcessor

MAX_ANSWER_TOKENS = 64
QUESTION_TOKENS = 512
"""Room kept for the question and the answer when frames are counted against the context length."""
FRAMES_AT_ONCE = 128
"""About this many frames go through STAB together."""


class Session:
    """One video in front of one model.

    Args:
        name: the model's name, for `Answer.model`.
        model: the network.
        processor: its processor.
        path: the video.
        sampling: which seconds to look at.

    Raises:
        VideoError: the file is missing or holds no pictures, or none at the seconds that `sampling` names.
        ConfigError: more frames than fit into the model's context.
    """

    def __init__(
        self,
        name: str,
        model: "LongPandaForConditionalGeneration",
        processor: "LongPandaProcessor",
        path: str | Path,
        sampling: Sampling,
    ) -> None:
        self.name, self.model, self.processor, self.path = name, model, processor, Path(path)
        started = time.perf_counter()
        self.clip, self.readable_seconds = _read(self.path, sampling, processor, model.config)
        self.decode_seconds = time.perf_counter() - started

    @cached_property
    def _visual(self) -> Any:
        """The clip's visual tokens, computed at the first question and kept."""
        import torch

        window = self.model.config.stab_config.window_frames
        block = max(1, FRAMES_AT_ONCE // window) * window  # whole windows, which are independent of one another
        with torch.inference_mode():
            return torch.cat([self._encode(start, start + block) for start in range(0, len(self.clip), block)])

    def _encode(self, start: int, end: int) -> Any:
        """Visual tokens of some frames of the clip."""
        clip = dataclasses.replace(
            self.clip, frames=self.clip.frames[start:end], pts_seconds=self.clip.pts_seconds[start:end]
        )
        media = self.processor.image_processor.preprocess([clip])
        keys = ("pixel_values", "patch_boxes", "frame_windows")
        return self.model.visual_embeddings(*(media[key].to(self.model.device) for key in keys))

    def ask(self, question: str) -> Answer:
        """Answer a question about the video.

        Raises:
            PromptError: the question is empty.
        """
        import torch

        text = self.processor.chat(question)
        decode_seconds, self.decode_seconds = self.decode_seconds, 0.0  # the first question pays for the reading
        started = time.perf_counter()
        visual = self._visual
        encoded = self._clock()
        inputs = self.processor.prompts([text], [[self.clip]])
        device = self.model.device
        ids, mask = inputs["input_ids"].to(device), inputs["attention_mask"].to(device)
        with torch.inference_mode():
            output = self.model.generate(
                inputs_embeds=self.model.place(ids, visual),
                attention_mask=mask,
                max_new_tokens=MAX_ANSWER_TOKENS,
                do_sample=False,
            )
        answer = self.processor.tokenizer.decode(output[0], skip_special_tokens=True).strip()
        return Answer(
            text=answer,
            pts_seconds=tuple(self.clip.pts_seconds.tolist()),
            duration_seconds=self.clip.duration_seconds,
            visual_tokens=int(visual.shape[0]),
            seconds={
                "decode": decode_seconds,
                "encode_frames": encoded - started,
                "generate": self._clock() - encoded,
            },
            peak_memory_bytes=peak_memory_bytes(),
            model=self.name,
            path=str(self.path),
            notice=self._notice(question, answer),
        )

    def _clock(self) -> float:
        """Seconds, once all work given to the GPU so far is done."""
        import torch

        if self.model.device.type == "cuda":
            torch.cuda.synchronize(self.model.device)
        return time.perf_counter()

    def _notice(self, question: str, answer: str) -> str:
        clip, promised = self.clip, self.clip.frames_promised or len(self.clip)
        cut = ""
        if self.readable_seconds is not None:
            cut = (
                f"None of the {promised} frames planned over {clip.duration_seconds:.1f} s could be read: this file "
                f"ends at {self.readable_seconds:.1f} s, and the {len(clip)} frames looked at are from before that. "
            )
        elif promised > len(clip):
            cut = f"{promised - len(clip)} of {promised} frames could not be read from this file. "
        return (cut + self._not_understood(question, answer) + self.model.config.notice).strip()

    def _not_understood(self, question: str, answer: str) -> str:
        """Words that a closed vocabulary does not have, and an answer without words."""
        tokenizer = self.processor.tokenizer
        known = tokenizer.unk_token_id is None or tokenizer.unk_token_id not in tokenizer.encode(question)
        words = "" if known else f"The model does not know: {', '.join(_unknown(tokenizer, question))}. "
        return words + ("" if answer else "The model gave no answer. ")


def _read(path: Path, sampling: Sampling, processor: Any, config: Any) -> tuple[VideoClip, float | None]:
    """Decode the frames a sampling asks for, no larger than the model looks at them.

    Returns:
        the clip; and, for a file cut off before the first of these frames, the second at which it ends: then the same
        sampling is spread over what there is.
    """
    info = probe(path)
    size = processor.image_processor.size_for(info.height_px, info.width_px)
    seconds = sampling.seconds_for(info.duration_seconds)
    _check_fits(len(seconds), processor.tokens_per_frame(info.height_px, info.width_px, seconds[-1]), config)
    try:
        return decode(path, seconds, size_px=size), None
    except CutVideoError as error:
        if sampling.seconds is not None:  # these and no others were asked for
            raise
        readable_seconds = error.readable_seconds
    again = sampling.seconds_for(readable_seconds) if readable_seconds > 0 else [0.0]
    clip = decode(path, again, size_px=size)
    return dataclasses.replace(clip, frames_promised=len(seconds)), readable_seconds


def _unknown(tokenizer: Any, question: str) -> list[str]:
    """The words of a question that its tokenizer has no tokens for."""
    words = dict.fromkeys(question.split())
    return [word for word in words if tokenizer.unk_token_id in tokenizer.encode(word, add_special_tokens=False)]


def _check_fits(frames: int, tokens_per_frame: int, config: Any) -> None:
    """Refuse a prompt longer than the language model has positions for."""
    limit = getattr(config.text_config, "max_position_embeddings", None)
    if limit is None or frames * tokens_per_frame + QUESTION_TOKENS <= limit:
        return
    room = limit - QUESTION_TOKENS
    if room < tokens_per_frame:
        found = f"a model with a context of {limit} tokens"
        raise ConfigError(found, f"{QUESTION_TOKENS} for a question and a frame beside", "use another model")
    raise ConfigError(
        f"{frames} frames of {tokens_per_frame} tokens, their times among them",
        f"at most {room} tokens, what is left of this model's context of {limit}",
        f"look at no more than {room // tokens_per_frame} frames (--frames)",
    )


def peak_memory_bytes() -> int:
    """Most resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
