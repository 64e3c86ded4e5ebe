"""The data card of an exported suite, with the header that the Hugging Face hub reads."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import yaml

from longpanda import __version__
from longpanda.longwatch.audit import EIGHT_FRAMES_MINUTES, LIFT, MARGIN, ORACLE, TEXT_PAIRS
from longpanda.longwatch.commands import in_lines, remaking
from longpanda.longwatch.families import FAMILIES
from longpanda.longwatch.rows import COLUMNS
from longpanda.longwatch.script import LEVELS
from longpanda.longwatch.suite import SuitePlan
from longpanda.longwatch.textonly import by_family, constant_share, public_plan
from longpanda.types import Sample

CONSTANT_PAIRS: Final = 1000
"""Number of questions on which the best constant answer is measured."""
_SIZES: Final = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
"""The hub's categories for the number of rows of a data set."""
_USES: Final = {
    "dev": "Its seeds are public and meant for development.",
    "report": "Its seeds are public and meant for reported results: do not train on it or select a model by it.",
    "private": "**Its seeds are private and this folder contains the answers: do not share it.**",
}
_CARD: Final = """\
# LongWatch, {name}

Generated videos of {lengths} min, and questions about them. The answers are computed from the drawn scenes. The
questions test how far back a video language model can look, and whether it keeps events in order.
**It has not been shown that scores here transfer to natural video.**

## Use

For measuring models that answer questions about long video, and for finding out at which length, at which depth and for
what kind of question they fail. {use}
It is not for training, and says nothing about people, speech, text in the wild or common sense: none of them is in it.

```python
from datasets import load_dataset

questions = load_dataset("parquet", data_files="FOLDER/{table}", split="train")
questions = load_dataset("FOLDER", split="test")  # the same
```

A model must see only the video (the file named `video` in `videos/`), `question` and `instruction`, and nothing else of
a row. With longpanda installed, lmms-eval marks answers as LongPanda does, without network access:

```bash
python -m lmms_eval --model MODEL --tasks longwatch --include_path FOLDER/lmms_eval --output_path results --log_samples
```

`exact` is the share of right answers; `partial` gives partial credit (mean relative accuracy for numbers, Kendall's tau
for lists, intersection over union for times). The group's score is the mean over families. Questions of one `cluster`
are not independent: use `exact_stderr_clustered`, or resample clusters.

## Composition

Videos: {videos}; hours: {hours:.1f}; scripts, each filmed at every length: {clusters}; questions: {questions}.
By family and length:

{counts}

The best constant answer is the answer that is right most often for each template, measured on {pairs:,} other
questions of the family.
One question of each family, with its answer:

{examples}

Columns of `{table}`:

{columns}

## How it was made

By LongPanda {version}, without natural footage, annotators or models:

```bash
{make}
```

Equal plans give equal scenes, raw frames, questions and answers; the video files are identical if the same x264 wrote
them. The manifest of this suite has the SHA-256
`{sha256}`.

Everything asked about is shown for at least {dwell_seconds:g} s (level `{level}`). The events asked about, their order
and their depths are the same at every length of a script; only the time between them grows.

## Controls

Numbers, titles, counts, places and depths are uniform by construction, and wrong answers are true of other things in
the video. `longpanda longwatch audit` checks a suite against these bounds; its result is not part of this card:

- a classical reader that sees only the decoded file answers at least {oracle:.0%} of every family;
- a classifier trained on {taught:,} other questions and their answers, without any video, is at most {margin:.0%} above
  the best constant answer;
- one frame, eight frames (from {eight_frames_minutes:g} minutes) and, for families about order or direction, all frames
  shuffled or reversed reach at most {lift:.0%} of the way from the best constant answer to the reader.

## Limitations

- Flat drawings over moving backdrops: perception is made easy, so that the difficulty lies in looking far back and in
  remembering. A low score may still be due to small or blurred frames; a high one does not show that a model
  understands natural video.
- Questions follow a few templates, in English. A model that was trained on LongWatch knows them; report that with its
  scores.
- The videos have no sound.
"""


def card(plan: SuitePlan, samples: Sequence[Sample], table: str, sha256: str) -> str:
    """Return the data card: Markdown with a YAML header.

    Args:
        plan: plan of the suite.
        samples: questions of the suite.
        table: path of the Parquet file in the folder.
        sha256: hash of the suite's manifest.
    """
    videos = {sample.video: sample.minutes for sample in samples}
    body = _CARD.format(
        name=_name(plan),
        lengths=", ".join(f"{minutes:g}" for minutes in sorted(plan.minutes)),
        use=_USES[plan.split],
        table=table,
        videos=len(videos),
        hours=sum(videos.values()) / 60,
        clusters=len({sample.cluster for sample in samples}),
        questions=len(samples),
        counts=_counts(plan, samples),
        pairs=CONSTANT_PAIRS,
        examples=_examples(samples),
        columns=_markdown(
            ["column", "type", "description"], [[f"`{n}`", kind, what] for n, (kind, what) in COLUMNS.items()]
        ),
        version=__version__,
        make=in_lines(remaking(plan, "suite")),
        sha256=sha256,
        dwell_seconds=LEVELS[plan.level].dwell_seconds,
        level=plan.level,
        oracle=ORACLE,
        taught=TEXT_PAIRS,
        margin=MARGIN,
        eight_frames_minutes=EIGHT_FRAMES_MINUTES,
        lift=LIFT,
    )
    return f"---\n{yaml.safe_dump(_header(plan, len(samples), table), sort_keys=False)}---\n\n{body}"


def _name(plan: SuitePlan) -> str:
    return f"{plan.split} seed {plan.seed}, {plan.level}"


def _header(plan: SuitePlan, questions: int, table: str) -> dict[str, object]:
    """Return the header, with keys from https://huggingface.co/docs/hub/datasets-cards."""
    return {
        "pretty_name": f"LongWatch, {_name(plan)}",
        "license": "apache-2.0",
        "language": ["en"],
        "task_categories": ["visual-question-answering", "video-text-to-text"],
        "tags": ["video", "long-video", "synthetic", "benchmark"],
        "annotations_creators": ["machine-generated"],
        "source_datasets": ["original"],
        "size_categories": [next((name for most, name in _SIZES if questions < most), "n>1M")],
        "configs": [{"config_name": "default", "data_files": [{"split": "test", "path": table}]}],
    }


def _counts(plan: SuitePlan, samples: Sequence[Sample]) -> str:
    cells = Counter((sample.family, sample.minutes) for sample in samples)
    absent = Counter(sample.family for sample in samples if sample.facts.absent)
    public = by_family(public_plan(plan, CONSTANT_PAIRS).samples())
    constants = {family: constant_share(samples) for family, samples in public.items()}
    lengths, rows = sorted(plan.minutes), []
    for family in plan.families:
        counts = [cells[family, minutes] for minutes in lengths]
        rows.append([family, *map(str, (*counts, sum(counts), absent[family])), f"{constants[family]:.1%}"])
    head = ["family", *(f"{minutes:g} min" for minutes in lengths), "all", "about absent things", "constant answer"]
    return _markdown(head, rows)


def _examples(samples: Sequence[Sample]) -> str:
    first = {sample.family: sample for sample in reversed(samples)}
    rows = [[family, first[family].question, first[family].target] for family in FAMILIES if family in first]
    return _markdown(["family", "question", "answer"], rows)


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))
