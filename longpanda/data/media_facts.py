"""What is known of an image, a video or a folder of frames without opening it again, and why it may be of no use."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from longpanda.data.schema import Media
from longpanda.errors import LongPandaError

END_TOLERANCE_SECONDS: Final = 1.0
"""How far an annotated end may lie behind the end of the video: annotators round to whole seconds."""


class MediaFault(StrEnum):
    """Why an image or a video cannot be used. Manifests hold these words."""

    NONE = ""
    MISSING = "missing"
    NO_ROOT = "source without a root folder"
    FOLDER = "folder in place of a file"
    NOT_A_FOLDER = "file in place of a folder of frames"
    EMPTY_FOLDER = "folder without pictures"
    EMPTY_FILE = "file of 0 bytes"
    UNREADABLE = "no permission to read"
    UNDECODABLE = "cannot be decoded"
    DAMAGED = "some of its frames cannot be decoded"
    NO_LENGTH = "video without a length"
    BEHIND_END = "annotated part begins behind the end"
    SHORTER = "shorter than annotated"
    TIMEOUT = "decoder stopped at the time limit"
    CRASHED = "decoder crashed"


class MediaError(LongPandaError):
    """An image or a video that cannot be used.

    Args:
        found: as `LongPandaError`.
        expected: as `LongPandaError`.
        remedy: as `LongPandaError`.
        fault: what kind of mistake it is.
    """

    def __init__(self, found: str, expected: str, remedy: str, fault: MediaFault) -> None:
        super().__init__(found, expected, remedy)
        self.fault = fault

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.found, self.expected, self.remedy, self.fault)


@dataclass(frozen=True)
class MediaFacts:
    """One image, video file or folder of frames.

    Args:
        path: on this machine.
        kind: "image", "video" or "frames" (a folder of them).
        fault: why it cannot be used; then all that follows may be 0.
        message: what was found, of a fault; manifests leave it out where the fault says it all.
        duration_seconds: length of a video by its packets, or frames / rate of a folder; 0 of an image.
        frames: pictures of it; 1 of an image.
        fps: average rate, or the rate of the source for a folder; 0 where it is not known, and of an image.
        width_px: as displayed, upright.
        height_px: as displayed, upright.
        codec: FFmpeg's or Pillow's name, such as "h264" or "jpeg".
        size_bytes: of the file, or of all frames of a folder.
        modified_ns: when the file or folder was last changed, in ns since 1970.
        sha256: of the first and the last MiB and the size; of a folder, of its frames' names and sizes.
        promised_seconds: length by the header of a video file: more than `duration_seconds` where it was cut off.
    """

    path: str
    kind: str
    fault: MediaFault = MediaFault.NONE
    message: str = ""
    duration_seconds: float = 0.0
    frames: int = 0
    fps: float = 0.0
    width_px: int = 0
    height_px: int = 0
    codec: str = ""
    size_bytes: int = 0
    modified_ns: int = 0
    sha256: str = ""
    promised_seconds: float = 0.0

    def part(self, media: Media) -> "MediaFacts":
        """The facts of the part of a video that a record is about: its length and number of frames.

        Frames of a part are reckoned from the average rate.

        Args:
            media: with the part's start and end, if it is not the whole.

        Raises:
            MediaError: the file has a fault, the part begins behind the end of the video, or ends more than
                `END_TOLERANCE_SECONDS` behind it.
        """
        if self.fault:
            found = self.message or f"'{self.path}': {self.fault}"
            remedy = "fetch it again, or correct the source's root folder"
            raise MediaError(found, f"the {self.kind} that the record names", remedy, self.fault)
        if media.start_seconds is None or media.end_seconds is None:
            return self
        start, end, length = media.start_seconds, media.end_seconds, self.duration_seconds
        found = f"'{self.path}' lasts {length:.2f} s; annotated {start:g} to {end:g} s"
        remedy = "fetch the file again, or correct the times"
        if start >= length:
            raise MediaError(found, "a part within the video", remedy, MediaFault.BEHIND_END)
        if end > length + END_TOLERANCE_SECONDS:
            raise MediaError(found, "a part within the video", remedy, MediaFault.SHORTER)
        seconds = min(end, length) - start
        return replace(self, duration_seconds=seconds, frames=max(1, round(self.frames * seconds / length)))
