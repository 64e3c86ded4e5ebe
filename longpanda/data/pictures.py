"""Images, and folders of frames: which picture of a folder is shown when."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from longpanda.data.media_facts import MediaError, MediaFault
from longpanda.types import Frames, Seconds

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
"""Of the files in a folder of frames that are frames; case does not matter."""
_NUMBER: Final = re.compile(r"(\d+)")
_EXPECTED: Final = "a picture that can be decoded"


@dataclass(frozen=True)
class FrameFolder:
    """The frames of a folder in the order in which they are shown.

    Args:
        paths: the pictures.
        seconds: float64 [frames], when each is shown, from the first on.
        duration_seconds: until the last has been shown for the time of one frame.
    """

    paths: tuple[Path, ...]
    seconds: Seconds
    duration_seconds: float


def list_frames(folder: Path, fps: float) -> FrameFolder:
    """Find the frames of a folder, in natural order: 2 before 10, with or without leading zeros.

    Where the numbers in their names go up in equal steps, a frame that is missing leaves a gap in time; the frame
    before it is then shown for longer. Otherwise one frame follows another.

    Args:
        folder: with one picture a frame; files whose names begin with a dot, and those with other suffixes than
            `SUFFIXES`, are no frames.
        fps: frames per second.

    Raises:
        MediaError: no such folder, a file in its place, or no frame in it.
    """
    remedy = "fetch it, or correct the source's root folder"
    try:
        names = [name for name in os.listdir(folder) if name.lower().endswith(SUFFIXES) and not name.startswith(".")]
    except FileNotFoundError as error:
        raise MediaError(f"no folder '{folder}'", "a folder of frames", remedy, MediaFault.MISSING) from error
    except NotADirectoryError as error:
        found, fault = f"'{folder}' is a file", MediaFault.NOT_A_FOLDER
        remedy = "leave video_read_type out for a source of video files"
        raise MediaError(found, "a folder of frames", remedy, fault) from error
    except OSError as error:
        raise _unreadable(folder, error) from error
    if not names:
        found = f"'{folder}' holds no picture"
        raise MediaError(found, f"frames ({', '.join(SUFFIXES)})", "fetch it again", MediaFault.EMPTY_FOLDER)
    names.sort(key=_natural)
    places = _places(names)
    end = (int(places[-1]) + 1) / fps
    return FrameFolder(tuple(folder / name for name in names), places / fps, end)


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """What names are sorted by: numbers as numbers, and what stands between them as text."""
    parts = _NUMBER.split(name)
    key = [(int(part), "") if number % 2 else (0, part) for number, part in enumerate(parts)]
    return key, name


def _places(names: list[str]) -> Seconds:
    """The place of each frame in time, in frames, as `list_frames` says."""
    consecutive = np.arange(len(names), dtype=np.float64)
    split = [_NUMBER.split(name) for name in names]
    if len({(*parts[:-2], parts[-1]) for parts in split}) != 1 or len(split[0]) < 2 or len(names) < 3:
        return consecutive
    steps = np.diff(np.array([float(parts[-2]) for parts in split]))
    usual = float(np.median(steps))
    if usual <= 0 or np.any(steps <= 0) or np.any(steps % usual):
        return consecutive
    return np.concatenate([[0.0], np.cumsum(steps / usual)])


def read_picture(path: Path, size_px: tuple[int, int] | None = None) -> Frames:
    """Read an image, or one frame of a folder, upright and in RGB.

    Args:
        path: a file of any format that Pillow knows; of several pictures, the first.
        size_px: (height, width) to resize it to, with `letterbox.resize`; None keeps its size.

    Returns:
        uint8 [H, W, 3].

    Raises:
        MediaError: a missing or damaged file, or a folder in its place.
    """
    from longpanda.video.letterbox import resize

    with opened(path) as image:
        try:
            pixels = _rgb(image)
        except Exception as error:  # Pillow's decoders raise what they will
            raise _undecodable(path, error) from error
    return pixels if size_px is None else resize(pixels[None], *size_px)[0]


def opened(path: Path) -> "Image.Image":
    """Open a picture without decoding it. Raises MediaError as `read_picture`."""
    from PIL import Image, UnidentifiedImageError

    check_file(path)
    try:
        return Image.open(path)
    except UnidentifiedImageError as error:
        found = f"'{path}' is no picture that can be read"
        raise MediaError(found, _EXPECTED, "fetch it again", MediaFault.UNDECODABLE) from error
    except Exception as error:
        raise _undecodable(path, error) from error


def check_file(path: Path) -> os.stat_result:
    """What the system says of a file. Raises MediaError where there is none that can be read."""
    expected, remedy = "a file", "fetch it, or correct the source's root folder"
    try:
        told = path.stat()
        if path.is_dir():
            remedy = "write video_read_type: img for a source of folders of frames"
            raise MediaError(f"'{path}' is a folder", expected, remedy, MediaFault.FOLDER)
        if not told.st_size:
            raise MediaError(f"'{path}' has 0 bytes", expected, "fetch it again", MediaFault.EMPTY_FILE)
        if not os.access(path, os.R_OK):
            raise PermissionError(13, "Permission denied")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MediaError(f"no file '{path}'", expected, remedy, MediaFault.MISSING) from error
    except OSError as error:
        raise _unreadable(path, error) from error
    return told


def _rgb(image: "Image.Image") -> Frames:
    """uint8 [H, W, 3], with the rotation that its EXIF data ask for."""
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I;16"):  # Pillow would cut 16-bit values off at 255
        grey = (np.asarray(upright) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if upright.mode in ("I", "F"):
        raise ValueError(f"pixels of mode {upright.mode}, whose range is not known")
    return np.array(upright.convert("RGB"))


def _undecodable(path: Path, error: Any) -> MediaError:
    said = " ".join(str(error).split()) or type(error).__name__
    found = f"'{path}' cannot be decoded ({said})"
    return MediaError(found, _EXPECTED, "fetch it again", MediaFault.UNDECODABLE)


def _unreadable(path: Path, error: OSError) -> MediaError:
    found = f"'{path}' cannot be read ({error.strerror})"
    return MediaError(found, "a file that you may read", "check its permissions", MediaFault.UNREADABLE)
