"""The temporal compressor: fewer tokens for each frame, memory over all frames, fewer frames.

Cells are pooled in space, residual Mamba-2 blocks run over the tokens frame by frame (STORM's order, 2503.04130), and
groups of k frames are pooled in time. Causal blocks stream: a piece of a video at a time, constant memory, appending
for ever; true times enter the scan, so that irregular sampling and skipped time count as what they are.

Letters: B clips, T frames, P pooled tokens of a frame, L = T * P, G groups of k frames, C width.
"""

import torch
from torch import Tensor, nn

from longpanda.errors import ConfigError, counted
from longpanda.model.configuration import TemporalConfig
from longpanda.model.mamba import Mamba2Block
from longpanda.model.pooling import SpatialPool, TemporalPool
from longpanda.model.tokens import ClipTokens, CompressorState, TokenGroups
from longpanda.shapes import Float

PIECE_TOKENS = 8192
"""STAB's tokens that are worked on at once: bounds what a long clip holds beside its output."""


class TemporalCompressor(nn.Module):
    """Spatial pooling, Mamba-2 blocks, temporal pooling. New ones are poolings alone: each block starts as nothing."""

    def __init__(self, config: TemporalConfig) -> None:
        super().__init__()
        self.config = config
        self.spatial = SpatialPool(config)
        self.blocks = nn.ModuleList([Mamba2Block(config) for _ in range(config.layers)])
        backward = config.layers if config.direction == "bidirectional" else 0
        self.backward_blocks = nn.ModuleList([Mamba2Block(config) for _ in range(backward)])
        self.temporal = TemporalPool(config)

    def resized(self, config: TemporalConfig) -> "TemporalCompressor":
        """The same weights at another rate; what has no size of the grid or of a group can be used at any."""
        with torch.device("meta"):
            other = TemporalCompressor(config)
        other.load_state_dict(self.state_dict(), assign=True)
        return other.train(self.training)

    def forward(self, clips: list[ClipTokens]) -> list[TokenGroups]:
        """Whole clips, for training: those of one length and size run side by side, and come out as they would alone.

        Raises:
            ConfigError: a clip whose mask is no rectangle, see `ClipTokens.cells`.
        """
        tokens = [self._pool_cells(clip) for clip in clips]
        alike: dict[tuple[int, ...], list[int]] = {}
        for index, one in enumerate(tokens):
            alike.setdefault(tuple(one.shape), []).append(index)
        groups: dict[int, TokenGroups] = {}
        for indices in alike.values():
            seconds = [clips[i].seconds for i in indices]
            gaps = torch.stack([self._gaps(times, None) for times in seconds])
            mixed = self._mix(torch.stack([tokens[i] for i in indices]), gaps, seconds)
            groups |= {i: self._group(one, clips[i].seconds) for i, one in zip(indices, mixed, strict=True)}
        return [groups[i] for i in range(len(clips))]

    def whole(self, clip: ClipTokens) -> TokenGroups:
        """One clip from its first frame to its last; causal in constant memory beside its output.

        Raises:
            ConfigError: as in `compress`, except that bidirectional compressors may be used.
        """
        if self.config.direction == "bidirectional":
            return self.forward([clip])[0]
        done, state = self.compress(clip)
        rest = self.tail(state)
        if rest is None:
            return done
        pairs = ((done.values, rest.values), (done.spans_seconds, rest.spans_seconds))
        return TokenGroups(*(torch.cat(pair) for pair in pairs))

    def compress(self, clip: ClipTokens, state: CompressorState | None = None) -> tuple[TokenGroups, CompressorState]:
        """Go on with a stream: the groups that this piece completes, and where the stream then stands.

        Args:
            clip: the next frames.
            state: where the piece before ended; None begins a stream. It is not changed.

        Raises:
            ConfigError: a bidirectional compressor, frames earlier than the state's last one, or a state of another
                compressor or of frames of another size.
        """
        if self.config.direction == "bidirectional":
            remedy = "use a compressor with direction='causal', or compress whole clips"
            raise ConfigError("a piece of a stream for a bidirectional compressor", "a causal one", remedy)
        frames, per_frame, _ = clip.values.shape
        step = max(1, PIECE_TOKENS // per_frame)
        done = []
        for first in range(0, frames, step):
            groups, state = self._append(clip.piece(first, first + step), state)
            done.append(groups)
        assert state is not None
        values, spans = (torch.cat([getattr(one, name) for one in done]) for name in ("values", "spans_seconds"))
        return TokenGroups(values, spans), state

    def tail(self, state: CompressorState) -> TokenGroups | None:
        """The group that is not complete, pooled over the frames that it has; None if there is none."""
        if not len(state.open_seconds):
            return None
        return self._group(state.open_values, state.open_seconds)

    def _append(self, clip: ClipTokens, state: CompressorState | None) -> tuple[TokenGroups, CompressorState]:
        """One piece that is short enough to be held at once."""
        x = self._pool_cells(clip)
        self._check(state, x.shape[1])
        gaps = self._gaps(clip.seconds, None if state is None else state.last_second)
        elapsed = self._elapsed(gaps[None], x[None])
        sequence, after = x.flatten(0, 1)[None], []
        for index, block in enumerate(self.blocks):
            sequence, kept = block(sequence, elapsed, None if state is None else state.blocks[index])
            after.append(kept)
        x, seconds = sequence.view_as(x), clip.seconds.double().cpu()
        if state is not None:
            x, seconds = torch.cat([state.open_values.to(x), x]), torch.cat([state.open_seconds, seconds])
        whole = len(x) - len(x) % self.config.pool_frames
        rest = x[whole:].clone(), seconds[whole:].clone()
        following = CompressorState(tuple(after), *rest, float(clip.seconds[-1]))
        return self._group(x[:whole], seconds[:whole]), following

    def _check(self, state: CompressorState | None, tokens: int) -> None:
        """Refuse a state that this compressor did not give, or not for frames of this size."""
        if state is None:
            return
        if len(state.blocks) != len(self.blocks):
            found = f"a state of {counted(len(state.blocks), 'block')}"
            raise ConfigError(found, counted(len(self.blocks), "block"), "use the model that began the stream")
        if state.open_values.shape[1] != tokens:
            found = f"frames of {counted(tokens, 'token')} after frames of {state.open_values.shape[1]}"
            raise ConfigError(found, "frames of one size in a stream", "begin a stream for each video")

    def _pool_cells(self, clip: ClipTokens) -> Float[Tensor, "T P C"]:
        cells: Tensor = self.spatial(clip.cells())
        return torch.cat([clip.values[:, :1], cells], 1) if self.config.frame_token else cells

    def _gaps(self, seconds: Tensor, last: float | None) -> Float[Tensor, " T"]:
        """Time before each frame since the one before it, in reference seconds; nothing before the very first."""
        seconds = seconds.double().cpu()
        before = seconds[:1] if last is None else seconds.new_tensor([last])
        gaps = seconds.diff(prepend=before) / self.config.reference_seconds
        if (gaps < 0).any():
            found = f"a frame at {float(seconds[0]):g} s after one at {last:g} s"
            raise ConfigError(found, "frames in the order in which they are shown", "begin a new stream")
        return gaps

    def _elapsed(self, gaps: Float[Tensor, "B T"], x: Float[Tensor, "B T P C"]) -> Float[Tensor, "B L"]:
        """Time before each token: a frame's on its first token, none within a frame."""
        wide = torch.promote_types(x.dtype, torch.float32)
        elapsed = torch.zeros(x.shape[:3], dtype=wide, device=x.device)
        elapsed[:, :, 0] = gaps.to(elapsed)
        return elapsed.flatten(1)

    def _mix(
        self, x: Float[Tensor, "B T P C"], gaps: Float[Tensor, "B T"], seconds: list[Tensor]
    ) -> Float[Tensor, "B T P C"]:
        """All blocks over whole clips; backward ones read the same tokens from the last to the first."""
        sequence, elapsed = x.flatten(1, 2), self._elapsed(gaps, x)
        if not self.backward_blocks:
            for block in self.blocks:
                sequence, _ = block(sequence, elapsed)
            return sequence.view_as(x)
        reverse = torch.stack([self._gaps(-times.flip(0), None) for times in seconds])
        back = self._elapsed(reverse, x)
        for ahead, behind in zip(self.blocks, self.backward_blocks, strict=True):
            assert isinstance(ahead, Mamba2Block)
            assert isinstance(behind, Mamba2Block)
            change, _ = ahead.change(sequence, elapsed)
            other, _ = behind.change(sequence.flip(1), back)
            sequence = sequence + change + other.flip(1)
        return sequence.view_as(x)

    def _group(self, x: Float[Tensor, "T P C"], seconds: Float[Tensor, " T"]) -> TokenGroups:
        """Frames to groups of k, the last one of those that are left."""
        k, times = self.config.pool_frames, seconds.double().cpu()
        count, whole = len(x) // k, len(x) - len(x) % k
        values = [self.temporal(x[:whole].reshape(count, k, *x.shape[1:]))]
        spans = [times[:whole].view(count, k)[:, [0, -1]]]
        if whole < len(x):
            values.append(self.temporal(x[None, whole:]))
            spans.append(times[whole:][None, [0, -1]])
        return TokenGroups(torch.cat(values), torch.cat(spans))
