"""What is asked, and where the videos are: of a suite, or of anything else that can be asked about."""

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
        """Where the videos are."""

    @property
    def suffix(self) -> str:
        """What `Sample.video` lacks of a file's name."""

    def path_of(self, video: str) -> Path:
        """The file of a video, by `Sample.video`."""

    def settings(self) -> dict[str, Any]:
        """What tells these questions from any others; JSON. Raises ConfigError where there are none."""

    def samples(self, has_choices: bool = False) -> list[Sample]:
        """The questions, those of one video together.

        Args:
            has_choices: with lettered options, in every rotation of them.

        Raises:
            ConfigError: they are not complete, or have no options.
        """

    def count(self) -> int:
        """How many questions there are, each counted once, whatever its options. Raises ConfigError as `samples`."""

    def mark(self, text: str, sample: Sample) -> "Mark":
        """What an answer earns."""

    @property
    def video_count(self) -> int:
        """How many videos can be held against what they were when the questions were made."""

    def checked_videos(self) -> Iterator[str]:
        """The name of each of these, once it is found to be as it was. Raises ConfigError where one is not."""


@dataclass(frozen=True)
class Suite:
    """A suite that `longpanda longwatch make` or `insert` wrote.

    Args:
        source: its folder.
    """

    source: Path

    @property
    def suffix(self) -> str:
        """As `Questions`."""
        from longpanda.longwatch.manifest import VIDEO_SUFFIX

        return VIDEO_SUFFIX

    @property
    def folder(self) -> Path:
        """Where the videos are."""
        from longpanda.longwatch.manifest import VIDEOS

        return self.source / VIDEOS

    def path_of(self, video: str) -> Path:
        """As `Questions`."""
        return self.folder / f"{video}{self.suffix}"

    def settings(self) -> dict[str, Any]:
        """What tells these questions from any others. Raises ConfigError for a folder that holds no suite."""
        from longpanda.harness.identity import suite_sha256

        return {"suite_sha256": suite_sha256(self.source)}

    def samples(self, has_choices: bool = False) -> list[Sample]:
        """The questions, those of one video together.

        Args:
            has_choices: with lettered options, in every rotation of them.

        Raises:
            ConfigError: the folder holds no complete suite, or it was changed since it was made.
        """
        from longpanda.longwatch.choices import choices
        from longpanda.longwatch.folder import read_questions

        samples = read_questions(self.source)
        return choices(samples) if has_choices else samples

    def count(self) -> int:
        """As `Questions`."""
        return len(self.samples())

    def mark(self, text: str, sample: Sample) -> "Mark":
        """What an answer earns."""
        from longpanda.longwatch.choices import mark

        return mark(text, sample)

    @property
    def video_count(self) -> int:
        """How many `checked_videos` there are."""
        from longpanda.longwatch.manifest import films_of, read_hashes

        return len(films_of(read_hashes(self.source)))

    def checked_videos(self) -> Iterator[str]:
        """The name of each film, once it is found to be as it was made.

        Raises:
            ConfigError: one is missing or has changed.
        """
        from longpanda.longwatch.manifest import checked_films

        return checked_films(self.source, ", or ask with --unverified, which the results then say")


def questions_in(source: Path) -> Questions:
    """The questions in a suite's folder, or in a user's own file; whether there are any is found when they are read."""
    from longpanda.harness.own import OwnQuestions

    return OwnQuestions(source) if source.is_file() or source.suffix == ".jsonl" else Suite(source)
