"""Teachers that name what is shown where the world is generated: cell by cell, from a token or from a group of them.

Taught by answers alone, reading stays at chance for tens of thousands of samples while easy skills shine; labels per
cell give what stands before the language model a gradient that does not pass through it (docs/log.md).

Letters: N tokens, G groups of k frames, P tokens of a group, R cells of a frame, A attributes, D width.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from longpanda.processing.processor import IGNORED
from longpanda.shapes import Float, Int


class CellProbe(nn.Module):
    """A linear probe that names what a visual token shows."""

    def __init__(self, width: int, classes: Sequence[int]) -> None:
        super().__init__()
        self.classes = list(classes)
        self.probe = nn.Linear(width, sum(self.classes))

    def forward(self, visual: Float[Tensor, "N D"], labels: Int[Tensor, "N A"]) -> tuple[Tensor, Tensor]:
        """Cross-entropy of visual tokens against labels, and the accuracy where something is shown."""
        return _named(self.probe(visual), labels, self.classes)


class GroupProbe(nn.Module):
    """A linear probe that names what each cell shows in each frame of a group, from all of the group's tokens.

    It reads the tokens side by side, so that they may share the cells among them as they like. Every frame of a group
    has a head of its own, and not its middle frame alone: what shows in one frame of four must not be lost, and
    questions about order ask which of two things came first even within a group.

    Args:
        width: D.
        classes: of each of the A attributes.
        tokens: P.
        frames: k.
        cells: R.
    """

    def __init__(self, width: int, classes: Sequence[int], tokens: int, frames: int, cells: int) -> None:
        super().__init__()
        self.classes, self.frames, self.cells = list(classes), frames, cells
        self.probe = nn.Linear(tokens * width, frames * cells * sum(self.classes))

    def forward(self, groups: Float[Tensor, "G P D"], labels: Int[Tensor, "G k R A"]) -> tuple[Tensor, Tensor]:
        """Cross-entropy of groups against labels, and the accuracy where something is shown."""
        logits = self.probe(groups.flatten(1)).view(-1, sum(self.classes))
        return _named(logits, labels.flatten(0, 2), self.classes)


def group_labels(labels: Int[Tensor, "N A"], clip_frames: Sequence[int], frames: int) -> Int[Tensor, "G k R A"]:
    """Labels of STAB's tokens, frame token first, as labels of the cells of groups.

    Args:
        labels: of all tokens of all clips.
        clip_frames: frames of each clip.
        frames: k; what is missing of a clip's last group has nothing to name.
    """
    tokens = labels.view(sum(clip_frames), -1, labels.shape[-1])[:, 1:]
    clips = torch.split(tokens, list(clip_frames))
    whole = torch.cat([F.pad(clip, (0, 0, 0, 0, 0, -len(clip) % frames), value=IGNORED) for clip in clips])
    return whole.view(-1, frames, *tokens.shape[1:])


def _named(logits: Tensor, labels: Tensor, classes: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The sum over the attributes of their mean losses, and the accuracy where something is shown."""
    each = torch.split(logits.float(), list(classes), -1)
    losses = [F.cross_entropy(one, labels[:, i], ignore_index=IGNORED) for i, one in enumerate(each)]
    right = torch.stack([one.argmax(-1) == labels[:, i] for i, one in enumerate(each)], 1)[labels > 0]
    return torch.stack(losses).sum(), right.float().mean()
