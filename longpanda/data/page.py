"""A mixture as one self-contained page: what is there, what is not, and some records as the model gets them."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import jinja2

from longpanda.data.inventory import SourceInventory, Unusable, rows_of
from longpanda.data.mixture import Mixture
from longpanda.data.samples import SampleView
from longpanda.errors import counted

TEMPLATE: Final = "mixture.html.jinja"


@dataclass(frozen=True)
class Page:
    """What the page shows.

    Args:
        mixture: which.
        sha256: its hash.
        inventory: of its sources.
        samples: some records of each.
        how: what was set, by name: which frames, which model.
    """

    mixture: Mixture
    sha256: str
    inventory: Sequence[SourceInventory]
    samples: Sequence[SampleView]
    how: dict[str, str]

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The table of sources; the first row is its head."""
        return list(rows_of(self.inventory, self.mixture))

    @property
    def unusable(self) -> list[tuple[int, Unusable]]:
        """How many records cannot be used, by source and reason, each with the first of them; most first."""
        listed = [(one.unusable[reason], first) for one in self.inventory for reason, first in one.first.items()]
        return sorted(listed, key=lambda row: -row[0])

    def samples_of(self, source: str) -> list[SampleView]:
        """The records of one source."""
        return [sample for sample in self.samples if sample.source == source]


def write_page(page: Page) -> str:
    """The page as HTML, without scripts."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("longpanda.data", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"counted": counted, "data_uri": _data_uri}
    text = environment.get_template(TEMPLATE).render(page=page) + "\n"
    return text.encode("utf-8", "replace").decode()  # JSON can hold halves of characters, and a file cannot


def _data_uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
