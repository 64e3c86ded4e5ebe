"""Linear probes that classify the contents of cells, from a visual token or from the tokens of a group.

When only answers are trained, reading stays at chance for tens of thousands of samples, while easy skills are learned.
Labels per cell give the visual path a gradient that does not pass through the language model (docs/log.md).

Letters: N tokens, G groups of k frames, P tokens of a group, F frames, R labelled regions of a frame, A attributes,
D width.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from longpanda.errors import ConfigError
from longpanda.processing.labels import IGNORED
from longpanda.shapes import Float, Int
from longpanda.train.objectives.step import Head, Measured, Step


class CellProbe(Head):
    """A linear probe that classifies the contents of the front end's visual tokens.

    Args:
        width: D.
        classes: number of classes of each of the A attributes.
    """

    log_name = "cell"

    def __init__(self, width: int, classes: Sequence[int]) -> None:
        super().__init__()
        self.classes = list(classes)
        self.probe = nn.Linear(width, sum(self.classes))

    def forward(self, step: Step) -> Measured | None:
        """Measure a step with labels of cells."""
        if step.cell_labels is None:
            return None
        return _measured(self.probe(step.frame_tokens), step.cell_labels, self.classes)


class GroupProbe(Head):
    """A linear probe that classifies the contents of each region in each frame of a group, from the group's tokens.

    It reads the concatenated tokens, so that any token may represent any region. Every frame of a group has outputs,
    not only the middle one: contents of one frame in four must not be lost, and questions about order ask which of two
    things came first, even within a group.

    Args:
        width: D.
        classes: number of classes of each of the A attributes.
        tokens: P.
        frames: k.
        cells: R.
    """

    log_name = "group"

    def __init__(self, width: int, classes: Sequence[int], tokens: int, frames: int, cells: int) -> None:
        super().__init__()
        self.classes, self.tokens, self.frames, self.cells = list(classes), tokens, frames, cells
        self.probe = nn.Linear(tokens * width, frames * cells * sum(self.classes))

    def forward(self, step: Step) -> Measured | None:
        """Measure a step with labels of regions. Raises ConfigError if groups have other numbers of tokens."""
        if step.region_labels is None:
            return None
        sizes = {count for clip in step.tokens for count in clip.group_tokens}
        if sizes != {self.tokens}:
            found = f"groups of {', '.join(map(str, sorted(sizes)))} tokens for a group_probe"
            raise ConfigError(found, f"{self.tokens} of each", "use square frames, or leave group_probe out")
        wanted = group_labels(step.region_labels, [len(clip.seconds) for clip in step.clips], self.frames)
        return self.measure(step.visual.view(len(wanted), self.tokens, -1), wanted)

    def measure(self, groups: Float[Tensor, "G P D"], labels: Int[Tensor, "G k R A"]) -> Measured:
        """Measure the probe on groups against labels."""
        logits = self.probe(groups.flatten(1)).view(-1, sum(self.classes))
        return _measured(logits, labels.flatten(0, 2), self.classes)


def group_labels(labels: Int[Tensor, "F R A"], clip_frames: Sequence[int], frames: int) -> Int[Tensor, "G k R A"]:
    """Convert labels of frames to labels of groups of frames.

    Args:
        labels: labels of all frames of all clips.
        clip_frames: frames of each clip.
        frames: k; missing frames of a clip's last group are `IGNORED`.
    """
    clips = torch.split(labels, list(clip_frames))
    whole = torch.cat([F.pad(clip, (0, 0, 0, 0, 0, -len(clip) % frames), value=IGNORED) for clip in clips])
    return whole.view(-1, frames, *labels.shape[1:])


def _measured(logits: Tensor, labels: Tensor, classes: Sequence[int]) -> Measured:
    """Return the sum of the attributes' mean losses, and the accuracy over non-zero labels."""
    each = torch.split(logits.float(), list(classes), -1)
    losses = [F.cross_entropy(one, labels[:, i], ignore_index=IGNORED) for i, one in enumerate(each)]
    right = torch.stack([one.argmax(-1) == labels[:, i] for i, one in enumerate(each)], 1)[labels > 0]
    return Measured(torch.stack(losses).sum(), right.float().mean())
