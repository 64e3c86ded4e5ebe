"""Settings of generated scenes: durations, gaps and numbers of events."""

from dataclasses import dataclass

from longpanda.errors import ConfigError
from longpanda.longwatch.world import CARD_COLOURS, JITTER_LIMIT, SHAPES


@dataclass(frozen=True)
class WorldSettings:
    """Ranges that the generator draws from. The counts apply at `reference_seconds` and decrease with the duration.

    If frames are sampled at most 8 s apart, there is at least one frame in every event (dwell), in every pause of the
    lamp and of an object (gap), and between the starts of two cards.

    Args:
        card_dwell_seconds: shortest and longest duration of a card.
        move_dwell_seconds: shortest and longest duration of an object above a box.
        lamp_dwell_seconds: shortest and longest duration of a lamp event.
        gap_seconds: least time between two lamp events, two moves of one object, or the starts of two cards.
        cards: fewest and most cards.
        cards_cap: most cards in a longer video, whose number of cards grows with the duration.
        focus_max_count: the number of lamp events of the focus colour is uniform from 0 to this.
        other_lamps_max: the number of lamp events of other colours is uniform from 0 to this.
        objects: number of objects that move.
        moves: fewest and most moves of one object.
        margin_seconds: the last event ends at least this long before the end.
        jitter: largest offset of a card, as a fraction of the frame's side.
        reference_seconds: the duration for which the counts apply.

    Raises:
        ConfigError: a range is empty or negative, or there are more cards than pairs of colour and shape.
    """

    card_dwell_seconds: tuple[float, float] = (8.5, 14.0)
    move_dwell_seconds: tuple[float, float] = (8.5, 14.0)
    lamp_dwell_seconds: tuple[float, float] = (8.5, 11.0)
    gap_seconds: float = 9.0
    cards: tuple[int, int] = (4, 6)
    cards_cap: int = 24
    focus_max_count: int = 5
    other_lamps_max: int = 3
    objects: int = 2
    moves: tuple[int, int] = (2, 4)
    margin_seconds: float = 1.0
    jitter: float = JITTER_LIMIT
    reference_seconds: float = 180.0

    def __post_init__(self) -> None:
        for name in ("card_dwell_seconds", "move_dwell_seconds", "lamp_dwell_seconds", "cards", "moves"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ConfigError(f"{name} = ({low}, {high})", "0 < lowest <= highest", f"change {name}")
        if self.gap_seconds < max(self.card_dwell_seconds) - min(self.card_dwell_seconds):
            raise ConfigError(
                f"gap_seconds = {self.gap_seconds}", "at least the range of card_dwell_seconds", "raise gap_seconds"
            )
        if not max(self.cards) <= self.cards_cap <= len(CARD_COLOURS) * len(SHAPES):
            raise ConfigError(f"cards_cap = {self.cards_cap}", "from the highest of cards to 48", "change cards_cap")
        if not 0 <= self.jitter <= JITTER_LIMIT:
            raise ConfigError(f"jitter = {self.jitter}", f"0 to {JITTER_LIMIT}", "change jitter")
        if not 0 <= self.objects <= 3 or not 0 <= self.focus_max_count <= 9 or self.other_lamps_max < 0:
            raise ConfigError(
                "counts of WorldSettings out of range", "0 to 3 objects, 0 to 9 lamp events", "change them"
            )
        if not 0 <= self.margin_seconds < self.reference_seconds:
            found = f"margin_seconds = {self.margin_seconds}"
            raise ConfigError(found, f"0 or more, below {self.reference_seconds}", "change margin_seconds")
