"""One file of the corpus: its film, the edits of the file, and the expected result."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.corpus import ffmpeg
from benchmarks.corpus.film import Film, write

Step = Callable[[Path, Path], object]
"""Reads one file and writes another."""


class UnavailableError(Exception):
    """A file cannot be made on this machine; the message is the reason."""


@dataclass(frozen=True)
class ByFfmpeg:
    """A step done by FFmpeg's command line.

    Args:
        options: output options.
        before: input options.
    """

    options: tuple[str, ...]
    before: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """One file.

    Args:
        name: name of the file; its extension selects the container.
        film: the film that is encoded first.
        steps: edits of the film's file, one after the other; the last writes the file.
        via: extension of the film's file if there are steps.
        second_of: when a number should be shown, in seconds of the file; None: as in the film.
        is_timed: whether `second_of` or the film gives the times of the pictures. Raw streams have none.
        is_timed_by_place: whether pictures should be shown one after the other, whatever their numbers.
        may_miss: numbers that cannot be shown at their times, and so may be missing.
        is_damaged: whether the decoder conceals damage, so that numbers are unreliable. Pictures are then identified by
            what FFmpeg shows, and when.
        promises_more: whether the header gives a longer duration than is left of the film.
        refused: part of the error with which LongPanda refuses the file.
    """

    name: str
    film: Film
    steps: tuple[Step | ByFfmpeg, ...] = ()
    via: str = "mp4"
    second_of: Callable[[int], float] | None = None
    is_timed: bool = True
    is_timed_by_place: bool = False
    may_miss: frozenset[int] = field(default=frozenset())
    is_damaged: bool = False
    promises_more: bool = False
    refused: str = ""

    def true_second(self, number: int) -> float:
        """Return when the picture with this number should be shown."""
        return (self.second_of or self.film.second_of)(number)


def make(case: Case, folder: Path, program: Path | None) -> Path:
    """Make the file of a case unless it exists.

    Args:
        case: the case.
        folder: folder of the file.
        program: path of ffmpeg, or None if there is none.

    Raises:
        UnavailableError: an encoder, a container or FFmpeg's command line is missing.
    """
    path = folder / case.name
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"making.{case.name}"
    try:
        _build(case, unfinished, program)
    except (OSError, ValueError) as error:
        raise UnavailableError(f"{type(error).__name__}: {error}") from error
    unfinished.replace(path)
    for left in folder.glob(f"step?.{case.name}.*"):
        left.unlink()
    return path


def _build(case: Case, path: Path, program: Path | None) -> None:
    if not case.steps:
        write(case.film, path)
        return
    between = [path.with_name(f"step{number}.{case.name}.{case.via}") for number in range(len(case.steps))]
    write(case.film, between[0])
    for step, source, target in zip(case.steps, between, [*between[1:], path], strict=True):
        if not isinstance(step, ByFfmpeg):
            step(source, target)
        elif program is None:
            raise UnavailableError("needs FFmpeg's command line (--ffmpeg)")
        else:
            ffmpeg.make(program, source, target, step.before, step.options)
