"""The configuration of a LongPanda model: STAB, the compressor, the language model and special tokens."""

import difflib
import inspect
import math
from typing import Any

from transformers import AutoConfig, PreTrainedConfig

from longpanda.errors import ConfigError, counted, nearest

MOST_POOLED_FRAMES = 4096
"""Limit on the frames of a group at a rate other than the model's own."""
STAB_SIZES: dict[str, dict[str, Any]] = {
    #          channels      attention    px per patch   px, longer side   channels of LSTE's bottleneck
    "nano": {"width": 192, "heads": 4, "patch_px": 16, "image_px": 96, "lste_width": 96},
    "small": {"width": 512, "heads": 8, "patch_px": 14, "image_px": 224, "lste_width": 256},
    "base": {"width": 1024, "heads": 8, "patch_px": 14, "image_px": 448, "lste_width": 682},
    "large": {"width": 1536, "heads": 12, "patch_px": 14, "image_px": 448, "lste_width": 1024},
}
"""Our own configurations, smallest first. `base` has the paper's widths; `paper` itself is `StabConfig.paper()`."""


class StabConfig(PreTrainedConfig):
    """The spatio-temporal alignment block (STAB, Video-Panda, CVPR 2025) and its variants.

    The defaults are our own configuration at the paper's width; `StabConfig.paper()` is the published one.

    Args:
        width: channels C of patches and visual tokens.
        heads: attention heads of GSTRA, LSD and FSRA.
        patch_px: side of a square patch in pixels. LSD merges 2 x 2 patches into one token.
        image_px: longer side of a frame in pixels.
        lste_width: channels inside the local spatio-temporal encoding.
        gstra_ratio: hidden width of GSTRA's MLP over `width`.
        window_frames: frames of a window; windows are independent of one another.
        norm: LSTE's normalisation, "batch" (paper) or "token" (LayerNorm over channels, ours).
        masked: keep the letterbox out of every convolution and attention (ours), or only crop it (paper).
        head_scale: scale LSD and FSRA scores by head width ** -0.5 (ours), or by width ** -0.5 (paper).
        window_positions: give LSD the positions of its 4 patches (ours); the paper's LSD sees an unordered set.
        split_tokens: add a learned token after each row of a frame.
        single_frame_bypass: let frames of one-frame windows skip LSTE and GSTRA (the paper's image path).
        dropout: probability inside GSTRA's MLP and the frame token's head.
    """

    model_type = "longpanda_stab"
    base_config_key = "stab_config"

    def __init__(
        self,
        *,
        width: int = 1024,
        heads: int = 8,
        patch_px: int = 14,
        image_px: int = 448,
        lste_width: int = 682,
        gstra_ratio: int = 4,
        window_frames: int = 4,
        norm: str = "token",
        masked: bool = True,
        head_scale: bool = True,
        window_positions: bool = True,
        split_tokens: bool = False,
        single_frame_bypass: bool = False,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        _refuse_misspelt(kwargs, type(self))
        super().__init__(**kwargs)
        self.width = width
        self.heads = heads
        self.patch_px = patch_px
        self.image_px = image_px
        self.lste_width = lste_width
        self.gstra_ratio = gstra_ratio
        self.window_frames = window_frames
        self.norm = norm
        self.masked = masked
        self.head_scale = head_scale
        self.window_positions = window_positions
        self.split_tokens = split_tokens
        self.single_frame_bypass = single_frame_bypass
        self.dropout = dropout
        if norm not in ("batch", "token"):
            raise ConfigError(f"norm='{norm}'", "'batch' or 'token'", "use 'token' for new models")
        least = min(width, heads, patch_px, image_px, lste_width, gstra_ratio, window_frames)
        if least < 1 or width % heads or image_px % (2 * patch_px):
            sizes = f"width={width}, heads={heads}, image_px={image_px}, patch_px={patch_px}"
            raise ConfigError(
                f"{sizes}, window_frames={window_frames}",
                "whole numbers of at least 1, width divisible by heads and image_px by 2 * patch_px",
                "change one of them",
            )

    @classmethod
    def paper(cls) -> "StabConfig":
        """Return the published configuration: BatchNorm, convolutions that see the letterbox, split tokens (SPEC 3)."""
        return cls(
            norm="batch",
            masked=False,
            head_scale=False,
            window_positions=False,
            split_tokens=True,
            single_frame_bypass=True,
            dropout=0.5,
        )

    @classmethod
    def of_size(cls, size: str) -> "StabConfig":
        """Return our own configuration in a size of `STAB_SIZES`. Raises ConfigError for an unknown name."""
        if size not in STAB_SIZES:
            raise ConfigError(f"STAB size '{size}'", "a name of STAB_SIZES", nearest(size, STAB_SIZES))
        return cls(**STAB_SIZES[size])

    @property
    def cell_px(self) -> int:
        """Side of a cell in pixels; the sides of a picture are multiples of it."""
        return 2 * self.patch_px

    def tokens_per_frame(self, rows: int, columns: int) -> int:
        """Return the visual tokens of a frame of `rows` x `columns` cells: a frame token, then the cells row by row."""
        return 1 + rows * (columns + int(self.split_tokens))

    def windows(self, clip_frames: list[int]) -> list[list[int]]:
        """Return the frame indices of every window, padded with -1. No window spans two clips."""
        size, start, out = self.window_frames, 0, []
        for count in clip_frames:
            for first in range(0, count, size):
                inside = min(size, count - first)
                out.append([start + first + i if i < inside else -1 for i in range(size)])
            start += count
        return out


def _refuse_misspelt(given: dict[str, Any], kind: type[PreTrainedConfig]) -> None:
    """Raise ConfigError for an unknown key that resembles one of our fields.

    All other keys are passed on to transformers, which stores keys of its own in a configuration; they vary by version.
    """
    fields = set(inspect.signature(kind.__init__).parameters) - {"self", "kwargs"}
    for key in given:
        if difflib.get_close_matches(key, fields, n=1, cutoff=0.7):
            raise ConfigError(f"unknown field '{key}'", f"a field of {kind.__name__}", nearest(key, fields))


class TemporalConfig(PreTrainedConfig):
    """The temporal compressor: spatial pooling, residual Mamba-2 blocks over all frames' tokens, temporal pooling.

    Args:
        width: channels C of the visual tokens, the same as STAB's; a dict may leave it out.
        layers: Mamba-2 blocks; 0 is pooling alone.
        state_width: size N of a head's state for each of its channels.
        head_width: channels P of a head; divides `width`.
        expand: channels inside a block over `width`.
        conv_kernel: tokens that a block's convolution sees, including the current one.
        chunk: tokens that the scan processes as one matrix; changes speed, not results.
        grid: the most rows and columns of tokens to which a frame's cells are pooled; None keeps the cells.
        spatial: "mean" of the cells of each token's window, or "learned" attention whose query is the mean.
        frame_token: keep STAB's frame token, as the first token of a frame.
        pool_frames: frames k of a group; their tokens at the same place of the grid become one.
        pooling: "mean" of a group's frames, or "learned" weights.
        direction: "causal", which can stream and append, or "bidirectional", which cannot.
        reference_seconds: the unit in which time between frames enters the scan.
    """

    model_type = "longpanda_temporal"
    base_config_key = "temporal_config"

    def __init__(
        self,
        *,
        width: int = 1024,
        layers: int = 2,
        state_width: int = 128,
        head_width: int = 64,
        expand: int = 2,
        conv_kernel: int = 4,
        chunk: int = 64,
        grid: tuple[int, int] | list[int] | None = (4, 4),
        spatial: str = "learned",
        frame_token: bool = False,
        pool_frames: int = 1,
        pooling: str = "mean",
        direction: str = "causal",
        reference_seconds: float = 1.0,
        **kwargs: Any,
    ) -> None:
        _refuse_misspelt(kwargs, type(self))
        super().__init__(**kwargs)
        self.width = width
        self.layers = layers
        self.state_width = state_width
        self.head_width = head_width
        self.expand = expand
        self.conv_kernel = conv_kernel
        self.chunk = chunk
        self.grid = None if grid is None else tuple(grid)
        self.spatial = spatial
        self.frame_token = frame_token
        self.pool_frames = pool_frames
        self.pooling = pooling
        self.direction = direction
        self.reference_seconds = reference_seconds
        self._check_choices()
        self._check_sizes()

    def _check_choices(self) -> None:
        """Raise ConfigError for an unknown choice of a field."""
        choices = {"spatial": ("mean", "learned"), "pooling": ("mean", "learned")}
        choices["direction"] = ("causal", "bidirectional")
        for field, words in choices.items():
            value = str(getattr(self, field))
            if value not in words:
                remedy = nearest(value, words, is_listed=True)
                raise ConfigError(f"{field}='{value}'", " or ".join(map(repr, words)), remedy)

    def _check_sizes(self) -> None:
        """Raise ConfigError for sizes that do not fit together."""
        least = {"width": 1, "layers": 0, "state_width": 1, "head_width": 1, "expand": 1}
        least |= {"conv_kernel": 1, "chunk": 1, "pool_frames": 1}
        for field, smallest in least.items():
            value = getattr(self, field)
            if not isinstance(value, int) or value < smallest:
                raise ConfigError(f"{field}={value}", f"a whole number of at least {smallest}", f"change {field}")
        if self.width % self.head_width:
            found = f"width={self.width}, head_width={self.head_width}"
            raise ConfigError(found, "a width that is a multiple of head_width", "change one of them")
        if self.grid is not None and (len(self.grid) != 2 or min(self.grid) < 1):
            raise ConfigError(f"grid={self.grid}", "rows and columns of at least 1, or none", "use grid=[4, 4]")
        if not self.reference_seconds > 0:
            raise ConfigError(f"reference_seconds={self.reference_seconds}", "more than 0", "use 1.0")

    def pooled_grid(self, rows: int, columns: int) -> tuple[int, int]:
        """Return the rows and columns of tokens of a frame of `rows` x `columns` cells, at most those of the cells."""
        return (rows, columns) if self.grid is None else (min(self.grid[0], rows), min(self.grid[1], columns))

    def rate(self, rows: int, columns: int) -> tuple[tuple[int, int], int]:
        """Return the arguments of `at_rate`: the pooled grid for `rows` x `columns` cells, and `pool_frames`."""
        return self.pooled_grid(rows, columns), self.pool_frames

    def tokens_per_group(self, rows: int, columns: int) -> int:
        """Return the tokens of a group of frames of `rows` x `columns` cells."""
        pooled = self.pooled_grid(rows, columns)
        return pooled[0] * pooled[1] + int(self.frame_token)

    def with_tokens_per_frame(self, tokens: float, rows: int, columns: int) -> "TemporalConfig":
        """Return the compressor's configuration with at most `tokens` per frame of `rows` x `columns` cells.

        For one token per frame or more, the grid is the one with the most tokens, and of several such the one nearest
        to the picture's shape. Below that, groups have as many frames as it takes for one token each. The size of
        groups with learned weights does not change.

        Raises:
            ConfigError: the rate is impossible, the compressor has no grid and learned pooling, or the rate is too low
                for groups with learned weights or for the frame token that each frame keeps.
        """
        if not 1 / MOST_POOLED_FRAMES <= tokens < math.inf:
            expected = f"a number of at least 1/{MOST_POOLED_FRAMES}"
            raise ConfigError(f"{counted(tokens, 'token')} per frame", expected, "use 16, 4, 1 or 0.25")
        if self.grid is None and self.spatial == "learned":
            rate = counted(tokens, "token")
            found = f"{rate} per frame for a compressor that keeps every cell and has no weights to pool them"
            remedy = "leave the rate out, or train a compressor with a grid"
            raise ConfigError(found, "one with a grid, or spatial='mean'", remedy)
        pooled = 1 if tokens >= 1 else math.ceil(1 / tokens)
        frames = self.pool_frames if self.pooling == "learned" else pooled
        room = math.floor(tokens * frames + 1e-9) - int(self.frame_token)
        if room < 1:
            kept = (
                "a frame token beside"
                if pooled <= frames
                else f"groups of {counted(frames, 'frame')} with learned weights"
            )
            found = f"{counted(tokens, 'token')} per frame for a compressor that has {kept}"
            raise ConfigError(found, "a rate that it supports", "ask for more tokens per frame, or leave the rate out")
        grids = [(r, min(room // r, columns)) for r in range(1, min(room, rows) + 1)]
        grid = max(grids, key=lambda one: (one[0] * one[1], -abs(math.log(one[0] * columns / (one[1] * rows)))))
        return self.at_rate(grid, frames)

    def at_rate(self, grid: tuple[int, int], pool_frames: int) -> "TemporalConfig":
        """Return the compressor's configuration with another grid and number of frames per group."""
        return TemporalConfig(**own_fields(self) | {"grid": grid, "pool_frames": pool_frames})


def own_fields(config: PreTrainedConfig) -> dict[str, Any]:
    """Return our own fields that differ from their defaults, without those that transformers adds."""
    names = inspect.signature(type(config).__init__).parameters
    return {key: value for key, value in config.to_diff_dict().items() if key in names}


class LongPandaConfig(PreTrainedConfig):
    """STAB, a projector and any transformers causal language model.

    Args:
        stab_config: `StabConfig` or its dict.
        text_config: configuration (or dict with `model_type`) of any causal LM that transformers knows. A language
            model with LongRoPE uses only its long factors, see `with_steady_positions`.
        video_token_id: the placeholder whose embedding a visual token replaces.
        times_seconds: least interval between times written in the prompt; 0 writes the time of every group of frames.
        sampling: default sampling of a video, as fields of `Sampling`: {"frames": int} or {"fps": float,
            "max_frames": int}.
        notice: a limitation that every answer states, for example what the model was trained on.
        temporal_config: `TemporalConfig` or its dict; None for a model without a temporal compressor.
        single_turn: the model was trained on single questions only, and earlier turns would mislead it.

    Raises:
        ConfigError: the widths of compressor and STAB differ, rotary frequencies depend on the length of the prompt, or
            `times_seconds` is impossible.
    """

    model_type = "longpanda"
    sub_configs = {  # noqa: RUF012 - the name transformers reads
        "stab_config": StabConfig,
        "temporal_config": TemporalConfig,
        "text_config": AutoConfig,
    }

    def __init__(
        self,
        stab_config: StabConfig | dict[str, Any] | None = None,
        text_config: PreTrainedConfig | dict[str, Any] | None = None,
        video_token_id: int = 1,
        times_seconds: float = 0.0,
        sampling: dict[str, Any] | None = None,
        notice: str = "",
        temporal_config: TemporalConfig | dict[str, Any] | None = None,
        single_turn: bool = False,
        **kwargs: Any,
    ) -> None:
        if not 0 <= times_seconds < math.inf:
            raise ConfigError(f"times_seconds={times_seconds}", "0 or more seconds", "use 0.0, which writes every time")
        if isinstance(stab_config, dict):
            stab_config = StabConfig(**stab_config)
        if isinstance(text_config, dict):
            text_config = AutoConfig.for_model(**text_config)
        self.stab_config: StabConfig = stab_config or StabConfig()
        self.temporal_config = _temporal(temporal_config, self.stab_config.width)
        self.text_config: PreTrainedConfig = with_steady_positions(text_config or AutoConfig.for_model("llama"))
        self.video_token_id = video_token_id
        self.times_seconds = times_seconds
        self.sampling = sampling or {"frames": 32}
        self.notice = notice
        self.single_turn = single_turn
        kwargs.setdefault("tie_word_embeddings", bool(getattr(self.text_config, "tie_word_embeddings", False)))
        super().__init__(**kwargs)


def with_steady_positions(text: PreTrainedConfig) -> PreTrainedConfig:
    """Make the rotary frequencies of a language model independent of the length of the prompt, in place.

    LongRoPE (Ding et al. 2024, Phi-3) has two sets of factors, and switches to the long ones when a prompt exceeds the
    length of the first training. Keys in a cache would then be rotated by the other factors, and a video is read once
    and asked often. So the long factors are used from the first token on, in training as well.

    Raises:
        ConfigError: the positions are "dynamic" and change with every token.
    """
    rope = getattr(text, "rope_parameters", None) or {}
    for one in (rope, *rope.values()):  # some models have several, by kind of layer
        kind = one.get("rope_type") if isinstance(one, dict) else None
        if kind == "dynamic":
            found = f"rope_type='dynamic' of a '{text.model_type}', whose positions depend on the length of the prompt"
            raise ConfigError(found, "fixed positions", "use rope_type='yarn' with the same factor")
        if kind == "longrope":
            one["short_factor"] = one["long_factor"]
    return text


def _temporal(given: TemporalConfig | dict[str, Any] | None, width: int) -> TemporalConfig | None:
    """Return the compressor's configuration at STAB's width. Raises ConfigError for another width."""
    fields: dict[str, Any] = {"width": width}
    config = TemporalConfig(**(fields | given)) if isinstance(given, dict) else given
    if config is not None and config.width != width:
        found = f"a temporal compressor of width {config.width} behind a STAB of width {width}"
        raise ConfigError(found, "the same width", "leave out the width of temporal_config")
    return config


def cells_of(height_px: int, width_px: int, stab: StabConfig) -> tuple[int, int]:
    """Return the rows and columns of cells of a picture resized to a longer side of `image_px`.

    The shorter side is rounded up to whole cells.
    """
    total = stab.image_px // stab.cell_px
    longer = max(height_px, width_px)
    return math.ceil(total * height_px / longer), math.ceil(total * width_px / longer)


AutoConfig.register("longpanda_stab", StabConfig)
AutoConfig.register("longpanda_temporal", TemporalConfig)
AutoConfig.register("longpanda", LongPandaConfig)
