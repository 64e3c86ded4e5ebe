"""Renders a report as one self-contained HTML page or as Markdown, from the same tables."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import jinja2

from longpanda.errors import counted
from longpanda.evaluate import charts, colours
from longpanda.evaluate.cells import Cell, Table, length_text
from longpanda.evaluate.paired import Paired
from longpanda.evaluate.summary import Failure, Summary
from longpanda.evaluate.tables import Section, sections, tiles

TEMPLATE: Final = "report.html.jinja"
_UNVERIFIED: Final = (
    "The videos were not checked against the hashes of the suite: they may have changed since it was made."
)


@dataclass(frozen=True)
class Report:
    """The contents of a report.

    Args:
        models: one model, or two to compare.
        paired: comparison of the second model with the first; empty for one model.
        suite: the plan of the suite; None if unknown.
        commands: commands that reproduce the results and the report.
    """

    models: tuple[Summary, ...]
    paired: tuple[Paired, ...] = ()
    suite: dict[str, Any] | None = None
    commands: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Title of the report."""
        return " and ".join(model.name for model in self.models)

    @property
    def answered(self) -> tuple[Summary, ...]:
        """The models that answered at least one question, which the charts show."""
        return tuple(model for model in self.models if model.is_answered)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The tables, by section."""
        return sections(self.models, self.paired)

    @property
    def settings(self) -> tuple[tuple[str, dict[str, str]], ...]:
        """Titled settings: the configuration of each model, and the plan of the suite."""
        known = [(f"Configuration of {model.name}", model.configuration) for model in self.models]
        known += [("Plan of the suite", self.suite)] if self.suite is not None else []
        return tuple((title, {name: _setting(value) for name, value in values.items()}) for title, values in known)


def page(report: Report) -> str:
    """Render a report as one self-contained HTML page, without scripts."""
    loader = jinja2.PackageLoader("longpanda.evaluate", "templates")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "shades": _shades,
        "minutes": length_text,
        "data_uri": _data_uri,
        "tiles": tiles,
        "counted": counted,
        "warnings": warnings_of,
    }
    known = {"report": report, "charts": charts, "colours": colours}
    return _writable(environment.get_template(TEMPLATE).render(known) + "\n")


def markdown(report: Report) -> str:
    """Render a report as Markdown, without charts and pictures."""
    parts = [f"# {_plain(report.title)}: LongWatch", *(_about(model) for model in report.models)]
    for section in report.sections:
        parts += [f"## {_plain(section.title)}", section.about]
        for model, table in section.tables:
            parts += [f"**{_plain(model)}**"] if model else []
            parts.append(markdown_table(table))
    parts += [
        f"## Failures of {_plain(model.name)}\n\n{_failures(model.failures)}"
        for model in report.models
        if model.failures
    ]
    parts.append("## How it was made")
    for title, values in report.settings:
        rows = tuple((Cell(name), Cell(value)) for name, value in values.items())
        parts += [f"**{_plain(title)}**", markdown_table(Table(("setting", "value"), rows, is_prose=True))]
    if report.commands:
        parts.append("\n".join(f"    {line}" for line in "\n".join(report.commands).splitlines()))
    return _writable("\n\n".join(parts) + "\n")


def markdown_table(table: Table) -> str:
    """Render one table as Markdown."""
    align = ["---"] + ["---" if table.is_prose else "---:"] * (len(table.head) - 1)
    rows = [
        [_plain(cell.text) + (f" [{_plain(cell.note)}]" if cell.note else "") for cell in row] for row in table.rows
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in [list(map(_plain, table.head)), align, *rows])


def _about(model: Summary) -> str:
    lengths = ", ".join(map(length_text, model.minutes))
    asked = f"{counted(model.overall.exact.questions, 'question')} about {counted(model.videos, 'video')} of {lengths}"
    return " ".join([f"{_plain(model.name)}: {asked}.", *(f"**{one}**" for one in warnings_of(model))])


def warnings_of(model: Summary) -> list[str]:
    """Return the warnings that a reader needs before any number."""
    warnings = []
    whole, errors = model.overall.exact.questions, model.overall.exact.errors
    if model.missing:
        missing = counted(model.missing, "question")
        warnings.append(f"Not asked yet: {missing} of the suite. This is not the whole result.")
    if not model.is_answered:
        warnings.append("No question got an answer: there is no result yet. See Errors for what went wrong.")
    elif errors:
        warnings.append(f"Without an answer: {errors:,} of {counted(whole, 'question')}, which count as wrong.")
    if model.configuration.get("unverified"):
        warnings.append(_UNVERIFIED)
    return warnings


def _failures(failures: Sequence[Failure]) -> str:
    rows = []
    for failure in failures:
        score, sample = failure.score, failure.score.sample
        where = f"{sample.family}, {length_text(sample.minutes)}"
        said = f"error: {failure.said}" if score.error else failure.said
        rows.append(tuple(map(Cell, (where, sample.question, said, sample.target))))
    return markdown_table(Table(("where", "asked", "said", "true"), tuple(rows), is_prose=True))


def _writable(text: str) -> str:
    """Replace lone surrogates, which JSON can hold and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()


def _plain(text: str) -> str:
    """Escape text for Markdown and the HTML in it, on one line."""
    escaped = "".join("\\" + letter if letter in "\\`*_[]|~#" else letter for letter in " ".join(text.split()))
    return escaped.replace("&", "&amp;").replace("<", "&lt;")


def _setting(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _shades(share: float) -> dict[str, str]:
    """Return the colours of a heat map's cell as CSS variables."""
    (light, light_ink), (dark, dark_ink) = (colours.shade(share, ramp) for ramp in (colours.LIGHT, colours.DARK))
    return {"--light": light, "--light-ink": light_ink, "--dark": dark, "--dark-ink": dark_ink}


def _data_uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
