"""Questions and the location of their videos: the `Questions` protocol, and LongWatch suites."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from longpanda.types import Sample

if TYPE_CHECKING:
    from longpanda.longwatch.answers import Mark


class Questions(Protocol):
    """Questions about videos, with their true answers."""

    @property
    def source(self) -> Path:
        """The folder or file that holds them."""

    @property
    def folder(self) -> Path:
        """The folder of the videos."""

    @property
    def suffix(self) -> str:
        """File name suffix that `Sample.video` omits."""

    def path_of(self, video: str) -> Path:
        """Return the path of a video, given its `Sample.video`."""

    def settings(self) -> dict[str, Any]:
        """Return what identifies these questions, as JSON. Raises ConfigError if there are none."""

    def samples(self, has_choices: bool = False) -> list[Sample]:
        """Return the questions, those about the same video together.

        Args:
            has_choices: give every question lettered options, once for each rotation of them.

        Raises:
            ConfigError: the questions are incomplete, or have no options.
        """

    def count(self) -> int:
        """Return the number of questions, without counting rotations. Raises ConfigError as `samples` does."""

    def mark(self, text: str, sample: Sample) -> "Mark":
        """Mark an answer."""

    @property
    def video_count(self) -> int:
        """Number of videos that `checked_videos` checks."""

    def checked_videos(self) -> Iterator[str]:
        """Compare videos with the hashes stored with the questions, and yield the name of each that matches.

        Raises:
            ConfigError: a video is missing or has changed.
        """


@dataclass(frozen=True)
class Suite:
    """A suite that `longpanda longwatch make` or `insert` wrote.

    Args:
        source: folder of the suite.
    """

    source: Path

    @property
    def suffix(self) -> str:
        """See `Questions.suffix`."""
        from longpanda.longwatch.manifest import VIDEO_SUFFIX

        return VIDEO_SUFFIX

    @property
    def folder(self) -> Path:
        """The folder of the videos."""
        from longpanda.longwatch.manifest import VIDEOS

        return self.source / VIDEOS

    def path_of(self, video: str) -> Path:
        """See `Questions.path_of`."""
        return self.folder / f"{video}{self.suffix}"

    def settings(self) -> dict[str, Any]:
        """Return the hash of the suite. Raises ConfigError for a folder that holds no suite."""
        from longpanda.harness.identity import suite_sha256

        return {"suite_sha256": suite_sha256(self.source)}

    def samples(self, has_choices: bool = False) -> list[Sample]:
        """Return the questions, those about the same video together.

        Args:
            has_choices: give every question lettered options, once for each rotation of them.

        Raises:
            ConfigError: the folder holds no complete suite, or the suite has changed since it was made.
        """
        from longpanda.longwatch.choices import choices
        from longpanda.longwatch.folder import read_questions

        samples = read_questions(self.source)
        return choices(samples) if has_choices else samples

    def count(self) -> int:
        """See `Questions.count`."""
        return len(self.samples())

    def mark(self, text: str, sample: Sample) -> "Mark":
        """Mark an answer."""
        from longpanda.longwatch.choices import mark

        return mark(text, sample)

    @property
    def video_count(self) -> int:
        """Number of videos that `checked_videos` checks."""
        from longpanda.longwatch.manifest import films_of, read_hashes

        return len(films_of(read_hashes(self.source)))

    def checked_videos(self) -> Iterator[str]:
        """Compare videos with the manifest, and yield the name of each that matches.

        Raises:
            ConfigError: a video is missing or has changed.
        """
        from longpanda.longwatch.manifest import checked_films

        return checked_films(self.source, ", or run with --unverified, which the results record")


def questions_in(source: Path) -> Questions:
    """Return the questions of a suite's folder or of a user's own file. Nothing is read yet."""
    from longpanda.harness.own import OwnQuestions

    return OwnQuestions(source) if source.is_file() or source.suffix == ".jsonl" else Suite(source)
