"""One file of the corpus: the film in it, what is done to the file, and what is known of the result."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.corpus import ffmpeg
from benchmarks.corpus.film import Film, write

Step = Callable[[Path, Path], object]
"""Reads a file, writes another."""


class UnavailableError(Exception):
    """A file cannot be made here; says why."""


@dataclass(frozen=True)
class ByFfmpeg:
    """A step that FFmpeg's command line does.

    Args:
        options: of the output.
        before: of the input.
    """

    options: tuple[str, ...]
    before: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """One file.

    Args:
        name: of the file; its ending chooses the container.
        film: what is encoded first.
        steps: what is done to the film's file, one after the other; the last writes the file.
        via: ending of the film's file where there are steps.
        second_of: when a number is to be shown, from second 0 of the file; None: as the film says.
        is_timed: whether `second_of`, or else the film, says when pictures are to be shown. Raw streams have no times.
        is_timed_by_place: pictures are to be shown one after the other, whatever their numbers.
        may_miss: numbers that cannot be shown where they belong, and so may be missing.
        is_damaged: pictures are patched up by the decoder, so that numbers on them cannot be trusted; what FFmpeg shows
            tells pictures apart, and when it shows them.
        promises_more: the header's length is longer than what is left of the film.
        refused: part of the error by which LongPanda refuses the file.
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
        """When the picture of this number is to be shown."""
        return (self.second_of or self.film.second_of)(number)


def make(case: Case, folder: Path, program: Path | None) -> Path:
    """Make the file of a case, where it is not there yet.

    Args:
        case: which.
        folder: where to.
        program: FFmpeg's command line, None where there is none.

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
