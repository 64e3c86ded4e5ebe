"""The temporal compressor: pools each frame's cells, mixes the tokens of all frames, and pools groups of frames.

Cells are pooled in space, residual Mamba-2 blocks run over the tokens frame by frame (STORM's order, 2503.04130), and
groups of k frames are pooled in time. Causal blocks can stream a video of any length piece by piece in constant memory.
The scan uses the true times of frames, so irregular sampling and skipped time are taken into account.

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
"""STAB's tokens that are processed at once. It bounds the memory of a long clip, apart from the output."""


class TemporalCompressor(nn.Module):
    """Spatial pooling, Mamba-2 blocks, temporal pooling. A new block adds nothing, so a new compressor only pools."""

    def __init__(self, config: TemporalConfig) -> None:
        super().__init__()
        self.config = config
        self.spatial = SpatialPool(config)
        self.blocks = nn.ModuleList([Mamba2Block(config) for _ in range(config.layers)])
        backward = config.layers if config.direction == "bidirectional" else 0
        self.backward_blocks = nn.ModuleList([Mamba2Block(config) for _ in range(backward)])
        self.temporal = TemporalPool(config)

    def resized(self, config: TemporalConfig) -> "TemporalCompressor":
        """Return a compressor with the same weights at another rate: no weight depends on the grid.

        Learned weights of a group's frames keep its size, see `TemporalConfig.with_tokens_per_frame`.
        """
        with torch.device("meta"):
            other = TemporalCompressor(config)
        other.load_state_dict(self.state_dict(), assign=True)
        return other.train(self.training)

    def forward(self, clips: list[ClipTokens]) -> list[TokenGroups]:
        """Compress whole clips, for training.

        Clips of the same length and size run as one batch; the result of each is the same as alone.

        Raises:
            ConfigError: a clip's mask is not a rectangle, see `ClipTokens.cells`.
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
        """Compress one whole clip. A causal compressor needs constant memory, apart from the output.

        Raises:
            ConfigError: as `compress`, except that bidirectional compressors are allowed.
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
        """Compress the next piece of a stream.

        Args:
            clip: the next frames.
            state: the state after the previous piece; None begins a stream. It is not changed.

        Returns:
            The groups that this piece completes, and the state after it.

        Raises:
            ConfigError: the compressor is bidirectional, frames are earlier than the state's last one, or the state is
                from another compressor or from frames of another size.
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
        """Return the incomplete last group, pooled over the frames that it has, or None if there is none."""
        if not len(state.open_seconds):
            return None
        return self._group(state.open_values, state.open_seconds)

    def _append(self, clip: ClipTokens, state: CompressorState | None) -> tuple[TokenGroups, CompressorState]:
        """Compress one piece that is short enough to be processed at once."""
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
        """Raise ConfigError for a state of another compressor, or of frames of another size."""
        if state is None:
            return
        if len(state.blocks) != len(self.blocks):
            found = f"a state of {counted(len(state.blocks), 'block')}"
            raise ConfigError(found, counted(len(self.blocks), "block"), "use the model that began the stream")
        if state.open_values.shape[1] != tokens:
            found = f"frames of {counted(tokens, 'token')} after frames of {state.open_values.shape[1]}"
            raise ConfigError(found, "frames of one size in a stream", "begin a new stream for each video")

    def _pool_cells(self, clip: ClipTokens) -> Float[Tensor, "T P C"]:
        cells: Tensor = self.spatial(clip.cells())
        return torch.cat([clip.values[:, :1], cells], 1) if self.config.frame_token else cells

    def _gaps(self, seconds: Tensor, last: float | None) -> Float[Tensor, " T"]:
        """Return the time from the previous frame to each frame, in reference seconds; 0 for a video's first."""
        seconds = seconds.double().cpu()
        before = seconds[:1] if last is None else seconds.new_tensor([last])
        gaps = seconds.diff(prepend=before) / self.config.reference_seconds
        if (gaps < 0).any():
            found = f"a frame at {float(seconds[0]):g} s after one at {last:g} s"
            raise ConfigError(found, "frames in the order in which they are shown", "begin a new stream")
        return gaps

    def _elapsed(self, gaps: Float[Tensor, "B T"], x: Float[Tensor, "B T P C"]) -> Float[Tensor, "B L"]:
        """Return the time before each token: the frame's gap for its first token, 0 for its other tokens."""
        wide = torch.promote_types(x.dtype, torch.float32)
        elapsed = torch.zeros(x.shape[:3], dtype=wide, device=x.device)
        elapsed[:, :, 0] = gaps.to(elapsed)
        return elapsed.flatten(1)

    def _mix(
        self, x: Float[Tensor, "B T P C"], gaps: Float[Tensor, "B T"], seconds: list[Tensor]
    ) -> Float[Tensor, "B T P C"]:
        """Run all blocks over whole clips. Backward blocks read the same tokens from the last to the first."""
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
        """Pool frames in groups of k; the last group has the frames that remain."""
        k, times = self.config.pool_frames, seconds.double().cpu()
        count, whole = len(x) // k, len(x) - len(x) % k
        values = [self.temporal(x[:whole].reshape(count, k, *x.shape[1:]))]
        spans = [times[:whole].view(count, k)[:, [0, -1]]]
        if whole < len(x):
            values.append(self.temporal(x[None, whole:]))
            spans.append(times[whole:][None, [0, -1]])
        return TokenGroups(torch.cat(values), torch.cat(spans))
