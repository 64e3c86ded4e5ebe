"""FrameProcessor: clips to the model's pixel inputs, and to their timeline in a prompt."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import AutoImageProcessor, BaseImageProcessor, BatchFeature

from longpanda.errors import ConfigError
from longpanda.model.configuration import LongPandaConfig, StabConfig, TemporalConfig, cells_of
from longpanda.types import Frames, Timeline, VideoClip
from longpanda.video import letterbox, resize


class FrameProcessor(BaseImageProcessor):
    """Resizes frames so that the longer side is `image_px`, and the shorter one is rounded up to whole cells.

    Clips of different shapes in a batch are padded at the bottom and right, which the model masks. A model without
    masks (`StabConfig.paper()`) gets its own centred letterbox instead.
    """

    model_input_names = ("pixel_values", "patch_boxes", "frame_windows")

    def __init__(
        self,
        stab_config: dict[str, Any] | None = None,
        temporal_config: dict[str, Any] | None = None,
        times_seconds: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.stab_config = stab_config or StabConfig().to_diff_dict()
        self.temporal_config = temporal_config
        self.times_seconds = times_seconds

    @property
    def stab(self) -> StabConfig:
        """The configuration of the model's STAB."""
        return StabConfig(**self.stab_config)

    @property
    def temporal(self) -> TemporalConfig | None:
        """The configuration of the model's compressor, or None."""
        return None if self.temporal_config is None else TemporalConfig(**self.temporal_config)

    def size_for(self, height_px: int, width_px: int) -> tuple[int, int]:
        """Return the height and width in pixels to which a picture of this shape is resized."""
        stab = self.stab
        rows, columns = cells_of(height_px, width_px, stab)
        return rows * stab.cell_px, columns * stab.cell_px

    def tokens_per_group(self, height_px: int, width_px: int) -> int:
        """Return the visual tokens of a group of frames of this shape; without a compressor, of one frame."""
        cells, temporal = cells_of(height_px, width_px, self.stab), self.temporal
        return self.stab.tokens_per_frame(*cells) if temporal is None else temporal.tokens_per_group(*cells)

    def timeline(self, clip: VideoClip) -> Timeline:
        """Return a clip's timeline in a prompt; a single image has no time."""
        starts = clip.pts_seconds[:: self.frames_per_group].tolist()
        tokens = self.tokens_per_group(clip.frames.shape[1], clip.frames.shape[2])
        return self.timeline_of(starts, [tokens] * len(starts), len(clip) > 1)

    def timeline_of(self, starts_seconds: Sequence[float], group_tokens: Sequence[int], timed: bool = True) -> Timeline:
        """Return the timeline of groups of frames in a prompt. Raises PromptError as `Timeline`."""
        return Timeline(tuple(starts_seconds), tuple(group_tokens), self.times_seconds if timed else None)

    @property
    def frames_per_group(self) -> int:
        """Frames of a group."""
        return 1 if self.temporal is None else self.temporal.pool_frames

    def preprocess(self, clips: Sequence[VideoClip], return_tensors: str = "pt") -> BatchFeature:
        """Convert clips to pixel_values uint8 [F, 3, H, W], patch_boxes [F, 4] and frame_windows [W, t].

        For a model with a compressor also frame_seconds float64 [F] and clip_frames [clips], the frames of each clip.

        Raises:
            ConfigError: `return_tensors` is not "pt".
        """
        if return_tensors != "pt":
            raise ConfigError(f"return_tensors='{return_tensors}'", "'pt'", "leave it out")
        pictures = self._pictures(clips) if self.stab.masked else _letterboxed(clips, self.stab)
        if self.temporal_config is not None:
            pictures["frame_seconds"] = torch.from_numpy(np.concatenate([clip.pts_seconds for clip in clips]))
            pictures["clip_frames"] = torch.tensor([len(clip) for clip in clips])
        return pictures

    def _pictures(self, clips: Sequence[VideoClip]) -> BatchFeature:
        """Resize clips and pad them at the bottom and right to one canvas."""
        stab = self.stab
        cells = [cells_of(clip.frames.shape[1], clip.frames.shape[2], stab) for clip in clips]
        rows, columns = max(r for r, _ in cells), max(c for _, c in cells)
        side, patches = stab.cell_px, stab.cell_px // stab.patch_px
        total = sum(len(clip) for clip in clips)
        pixels = np.zeros((total, rows * side, columns * side, 3), np.uint8)
        boxes, start = np.zeros((total, 4), np.int64), 0
        for clip, (r, c) in zip(clips, cells, strict=True):
            end = start + len(clip)
            pixels[start:end, : r * side, : c * side] = resize(clip.frames, r * side, c * side)
            boxes[start:end] = (0, r * patches, 0, c * patches)
            start = end
        data = {
            "pixel_values": torch.from_numpy(pixels).permute(0, 3, 1, 2),
            "patch_boxes": torch.from_numpy(boxes),
            "frame_windows": torch.tensor(stab.windows([len(clip) for clip in clips])),
        }
        return BatchFeature(data)


def _letterboxed(clips: Sequence[VideoClip], stab: StabConfig) -> BatchFeature:
    """Preprocess clips on the square canvas of the published model (SPEC 1.2)."""
    placed = [letterbox(clip.frames, stab.image_px, stab.cell_px) for clip in clips]
    pixels = np.concatenate([frames for frames, _ in placed])
    boxes = [
        [edge // stab.patch_px for edge in (box.row0, box.row1, box.col0, box.col1)]
        for frames, box in placed
        for _ in frames
    ]
    data = {
        "pixel_values": torch.from_numpy(pixels).permute(0, 3, 1, 2),
        "patch_boxes": torch.tensor(boxes),
        "frame_windows": torch.tensor(stab.windows([len(clip) for clip in clips])),
    }
    return BatchFeature(data)


def image_clip(image: Frames) -> VideoClip:
    """Wrap a single RGB image uint8 [H, W, 3] as a clip of one frame."""
    return VideoClip(image[None], np.zeros(1), 0.0)


AutoImageProcessor.register(
    LongPandaConfig, slow_image_processor_class=FrameProcessor, fast_image_processor_class=FrameProcessor
)
