"""Chat messages with pictures and videos, in the format of transformers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from transformers import BatchFeature
from transformers.image_utils import load_image

from longpanda.errors import PromptError
from longpanda.processing.frame_processor import image_clip
from longpanda.types import VIDEO_TOKEN, VideoClip
from longpanda.video import Sampling, decode, probe

MEDIA = ("image", "video")


class ModelInputs(BatchFeature):
    """Model inputs whose times keep their dtype in `to`: half precision would round them to minutes in long videos."""

    def to(self, *args: Any, **kwargs: Any) -> "ModelInputs":
        """Move or cast the inputs, as transformers does."""
        seconds = self.get("frame_seconds")
        super().to(*args, **kwargs)
        if seconds is not None:
            self["frame_seconds"] = seconds.to(self["pixel_values"].device)
        return self


def plain(conversation: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Convert messages to plain text with a marker for each picture or video, as in `LongPandaProcessor.chat`.

    Parts of text are joined without separators, as in the chat templates of transformers' own models.

    Raises:
        PromptError: a part is neither text nor an image nor a video.
    """
    return [
        {key: _text(message) if key == "content" else value for key, value in message.items() if value is not None}
        for message in conversation
    ]


def _text(message: dict[str, Any]) -> Any:
    content = message["content"]
    if isinstance(content, str):
        return content
    text, breaks = "", message["role"] == "user"
    for part in content:
        kind = part.get("type")
        if kind not in ("text", *MEDIA):
            raise PromptError(f"a part of type '{kind}' in a message", "text, image or video", "leave the part out")
        said = VIDEO_TOKEN if kind in MEDIA else part["text"]
        starts = breaks and kind == "text" and (not text or text.endswith(VIDEO_TOKEN))
        text += "\n" + said.lstrip() if starts else said
    return text.rstrip() if breaks else text


def clips_of(
    conversation: Sequence[dict[str, Any]], num_frames: int | None = None, fps: float | None = None
) -> list[VideoClip]:
    """Load the pictures and videos of a conversation, in order.

    Args:
        conversation: the messages.
        num_frames: frames to read of a video file, evenly spread.
        fps: frames to read per second of a video file, in place of `num_frames`.

    Raises:
        PromptError: media are missing or of an unknown type.
        VideoError: a file is not a video.
    """
    parts = [
        part for one in conversation if not isinstance(one.get("content"), str) for part in one.get("content") or ()
    ]
    return [_clip(part, num_frames, fps) for part in parts if part["type"] in MEDIA]


def _clip(part: dict[str, Any], num_frames: int | None, fps: float | None) -> VideoClip:
    kind = part["type"]
    media = next((part[key] for key in (kind, "path", "url", "base64") if part.get(key) is not None), None)
    if media is None:
        raise PromptError(f"a part of type '{kind}' without one", f"'{kind}', 'path' or 'url' in it", "add one of them")
    return _picture(media) if kind == "image" else _video(media, num_frames, fps)


def _picture(media: Any) -> VideoClip:
    """Convert a PIL image, an array [H, W, 3], a path or a URL to a clip."""
    if isinstance(media, VideoClip):
        return media
    try:
        pixels = np.asarray(media if isinstance(media, np.ndarray) else load_image(media).convert("RGB"))
    except (OSError, ValueError, TypeError) as error:
        raise PromptError(
            f"a picture that cannot be read: {error}", "a PIL image, a path or a URL", "check it, or pass an array"
        ) from error
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        found = f"a picture of shape {list(pixels.shape)} and type {pixels.dtype}"
        raise PromptError(found, "uint8 [height, width, 3]", "convert it to RGB")
    return image_clip(pixels)


def _video(media: Any, num_frames: int | None, fps: float | None) -> VideoClip:
    if isinstance(media, VideoClip):
        return media
    if not isinstance(media, str):
        found = f"a video of type {type(media).__name__}, which has no times"
        raise PromptError(found, "a VideoClip or the path of a file", "decode it with longpanda.video.decode")
    if (num_frames is None) == (fps is None):
        found = f"'{media}' with num_frames={num_frames} and fps={fps}"
        raise PromptError(found, "one of the two, to choose the frames", "pass num_frames=24")
    sampling = Sampling(frames=num_frames) if fps is None else Sampling(fps=fps)
    return decode(media, sampling.seconds_for(probe(media).duration_seconds))


def as_clips(text: Any, clips: Any, images: Any, videos: Any) -> list[Any]:
    """Convert the media arguments of transformers' processors to clips: a list for one prompt, or one list per prompt.

    Raises:
        PromptError: more than one of clips, images and videos is given, so their order is unknown.
    """
    if sum(given is not None and len(_listed(given)) > 0 for given in (clips, images, videos)) > 1:
        found = "more than one of clips, images and videos"
        raise PromptError(found, "one of them, because their order in the text is unknown", "pass all as clips")
    media, make = (_listed(images), _picture) if images is not None else (_listed(videos), _clip_of)
    nested = bool(media) and isinstance(media[0], list | tuple)
    if isinstance(text, str):
        return [make(one) for one in (media[0] if nested else media)]
    return [[make(one) for one in (group if nested else [group])] for group in media]


def _clip_of(media: Any) -> VideoClip:
    return _video(media, None, None)


def _listed(media: Any) -> list[Any]:
    return list(media) if isinstance(media, list | tuple) else [media]
