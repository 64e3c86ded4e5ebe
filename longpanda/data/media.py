"""Images, video files, parts of them and folders of frames: what they are, and the clips that training sees."""

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from longpanda.data.frame_choice import FrameChoice
from longpanda.data.media_facts import MediaError, MediaFacts, MediaFault
from longpanda.data.mixture import Source
from longpanda.data.pictures import check_file, list_frames, opened, read_picture
from longpanda.data.schema import Media
from longpanda.errors import VideoError, first_line
from longpanda.files import file_fingerprint
from longpanda.types import Seconds, VideoClip

if TYPE_CHECKING:
    from longpanda.video.opened import OpenVideo

HASHED_BYTES: Final = 1 << 20
"""Of the beginning and of the end of a file, for its hash."""
_ROUNDING_SECONDS: Final = 1e-6
"""A second computed from a frame's own time must find that frame."""


@dataclass(frozen=True)
class MediaFile:
    """An image, a video file or a folder of frames on this machine.

    Args:
        path: where it is.
        kind: "image", "video" or "frames".
        fps: frames per second of a folder of frames; else 0.
    """

    path: Path
    kind: str
    fps: float = 0.0


def find_media(media: Media, source: Source) -> MediaFile:
    """Say where an image or a video of a record is, without looking.

    Raises:
        MediaError: the source has no root folder.
    """
    if source.root is None:
        found = f"{media.kind} '{media.path}' of '{source.name}', which has no root folder"
        remedy = f"write roots: {{'{source.name}': FOLDER}}"
        raise MediaError(found, "a folder that paths start from", remedy, MediaFault.NO_ROOT)
    path = source.root.path / media.path
    if media.kind == "image" or not source.is_frames:
        return MediaFile(path, media.kind)
    return MediaFile(path, "frames", source.root.frames_fps or 1.0)


def read_clip(media: Media, source: Source, choice: FrameChoice, size_px: tuple[int, int] | None = None) -> VideoClip:
    """Read the frames that training looks at.

    Times count from the start of the annotated part, and the clip lasts as long as that part. They are the true times
    at which frames begin to be shown; the frame that is on screen when the part begins has the time 0.

    Args:
        media: an image or a video of a record.
        source: where the record is from.
        choice: which frames of a video; an image is a clip of one frame.
        size_px: (height, width) to resize frames to; None keeps the size of the first.

    Raises:
        MediaError: a missing or damaged file, or a part that it does not have. Nothing is put in place of a frame.
    """
    file = find_media(media, source)
    if file.kind == "image":
        return VideoClip(read_picture(file.path, size_px)[None], np.zeros(1), 0.0, str(file.path))
    if file.kind == "frames":
        return _read_folder(file, media, choice, size_px)
    return _read_video(file, media, choice, size_px)


def _read_video(file: MediaFile, media: Media, choice: FrameChoice, size_px: tuple[int, int] | None) -> VideoClip:
    from longpanda.video.opened import DecodeSpec, OpenVideo

    check_file(file.path)
    try:
        with OpenVideo(DecodeSpec(file.path, size_px)) as video:
            part = _facts_of(file, video).part(media)
            start = media.start_seconds or 0.0
            wanted = _wanted(choice, part, _shown_seconds(video), start)
            frames = np.empty((len(wanted), *video.size_px, 3), np.uint8)
            times, count = np.empty(len(wanted)), 0
            for one in video.at(wanted.tolist()):
                frames[count], times[count], count = one.pixels, one.pts_seconds, count + 1
    except VideoError as error:
        raise _undecodable(error) from error
    if count < len(wanted):
        found = f"{len(wanted) - count} of {len(wanted)} frames of '{file.path}' cannot be decoded"
        raise MediaError(found, "all frames that are looked at", "fetch it again", MediaFault.DAMAGED)
    return VideoClip(frames, np.maximum(times - start, 0), part.duration_seconds, str(file.path))


def _read_folder(file: MediaFile, media: Media, choice: FrameChoice, size_px: tuple[int, int] | None) -> VideoClip:
    folder = list_frames(file.path, file.fps)
    part = MediaFacts(
        str(file.path), file.kind, duration_seconds=folder.duration_seconds, frames=len(folder.paths)
    ).part(media)
    start = media.start_seconds or 0.0
    wanted = _wanted(choice, part, folder.seconds, start)
    numbers = np.maximum(np.searchsorted(folder.seconds, wanted + _ROUNDING_SECONDS, side="right") - 1, 0)
    read = {number: read_picture(folder.paths[number], size_px) for number in dict.fromkeys(numbers.tolist())}
    sizes = {pixels.shape[:2]: folder.paths[number] for number, pixels in read.items()}
    if len(sizes) > 1:
        found = "frames of different sizes: " + ", ".join(f"'{path}' {w}x{h} px" for (h, w), path in sizes.items())
        raise MediaError(found, "frames of one size", "fetch the folder again", MediaFault.DAMAGED)
    frames = np.stack([read[number] for number in numbers.tolist()])
    times = np.maximum(folder.seconds[numbers] - start, 0)
    return VideoClip(frames, times, part.duration_seconds, str(file.path))


def _wanted(choice: FrameChoice, part: MediaFacts, shown_seconds: Seconds, start: float) -> Seconds:
    """When to look, from the start of the file.

    Args:
        choice: which frames.
        part: facts of the annotated part.
        shown_seconds: float64 [frames of the file], when each is shown.
        start: when the annotated part begins, in seconds.
    """
    end = start + part.duration_seconds
    inside = shown_seconds[(shown_seconds >= start - _ROUNDING_SECONDS) & (shown_seconds < end)]
    if not len(inside):
        inside = np.array([start])
    return start + choice.seconds(part.duration_seconds, part.frames, np.maximum(inside - start, 0))


def _shown_seconds(video: "OpenVideo") -> Seconds:
    line = video.timeline
    return (line.times - line.origin).astype(np.float64) * float(line.time_base)


def probe_media(file: MediaFile) -> MediaFacts:
    """Look at an image, a video file or a folder of frames; what is wrong with it becomes its `fault`.

    Reads all packets of a video file and decodes its first picture; decodes an image as a whole; lists a folder and
    decodes its first frame.

    Args:
        file: what to look at.
    """
    look = {"image": _image_facts, "video": _video_facts, "frames": _folder_facts}[file.kind]
    try:
        facts = look(file)
    except MediaError as error:
        return replace(identity_of(file), fault=error.fault, message=error.found)
    except VideoError as error:
        return replace(identity_of(file), fault=MediaFault.UNDECODABLE, message=error.found)
    except Exception as error:  # decoders of damaged files raise what they will
        message = f"'{file.path}' cannot be decoded ({type(error).__name__}: {first_line(error)})"
        return replace(identity_of(file), fault=MediaFault.UNDECODABLE, message=message)
    return facts


def identity_of(file: MediaFile) -> MediaFacts:
    """Facts of a file that is not opened: kind, size and time of change, as far as the system tells."""
    facts = MediaFacts(str(file.path), file.kind, fps=file.fps)
    try:
        told = os.stat(file.path)
    except (OSError, ValueError):
        return facts
    return replace(facts, size_bytes=told.st_size, modified_ns=told.st_mtime_ns)


def _image_facts(file: MediaFile) -> MediaFacts:
    with opened(file.path) as image:
        codec = (image.format or "").lower()
    height, width, _ = read_picture(file.path).shape
    sha256 = file_hash(file.path)
    return replace(identity_of(file), frames=1, width_px=width, height_px=height, codec=codec, sha256=sha256)


def _video_facts(file: MediaFile) -> MediaFacts:
    from longpanda.video.opened import DecodeSpec, OpenVideo

    check_file(file.path)
    with OpenVideo(DecodeSpec(file.path)) as video:
        facts = _facts_of(file, video)
    return replace(facts, sha256=file_hash(file.path))


def _facts_of(file: MediaFile, video: "OpenVideo") -> MediaFacts:
    """Raises MediaError for several frames that tell no times."""
    info, frames = video.info, len(video.timeline)
    duration = info.duration_seconds
    if not duration and frames > 1:
        found = f"'{file.path}' has {frames} frames and no length"
        raise MediaError(found, "a video with times", "write it again with a frame rate", MediaFault.NO_LENGTH)
    return replace(
        identity_of(file),
        duration_seconds=duration,
        frames=frames,
        fps=frames / duration if duration else 0.0,
        width_px=info.width_px,
        height_px=info.height_px,
        codec=info.codec,
        promised_seconds=info.promised_seconds,
    )


def _folder_facts(file: MediaFile) -> MediaFacts:
    folder = list_frames(file.path, file.fps)
    height, width, _ = read_picture(folder.paths[0]).shape
    with opened(folder.paths[0]) as image:
        codec = (image.format or "").lower()
    sizes = [path.stat().st_size for path in folder.paths]
    listed = "".join(f"{path.name}\0{size}\0" for path, size in zip(folder.paths, sizes, strict=True))
    return replace(
        identity_of(file),
        duration_seconds=folder.duration_seconds,
        frames=len(folder.paths),
        width_px=width,
        height_px=height,
        codec=codec,
        size_bytes=sum(sizes),
        sha256=hashlib.sha256(os.fsencode(listed)).hexdigest(),
    )


def file_hash(path: Path) -> str:
    """SHA-256 of a file's size, its first MiB and its last MiB: to tell a file from another without reading it all."""
    known = file_fingerprint(path, HASHED_BYTES)
    return hashlib.sha256(f"{known['bytes']}\0{known['edges']}".encode()).hexdigest()


def _undecodable(error: VideoError) -> MediaError:
    return MediaError(error.found, error.expected, error.remedy, MediaFault.UNDECODABLE)
