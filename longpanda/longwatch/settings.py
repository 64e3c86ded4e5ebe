"""How busy the generated room is: dwell times, gaps and counts."""

from dataclasses import dataclass

from longpanda.errors import ConfigError
from longpanda.longwatch.world import CARD_COLOURS, JITTER_LIMIT, SHAPES


@dataclass(frozen=True)
class WorldSettings:
    """What the generator may draw. The counts hold at `reference_seconds` and shrink with shorter videos.

    With a step between sampled frames of at most 8 s every event is in at least one frame (dwell), every pause of the
    lamp and of an object too (gap), and between the starts of two cards there is one as well.

    Args:
        card_dwell_seconds: shortest and longest time a card is shown.
        move_dwell_seconds: shortest and longest time an object is seen above a box.
        lamp_dwell_seconds: shortest and longest time the lamp shines.
        gap_seconds: least time between two lamp events, two moves of one object, and two starts of cards.
        cards: fewest and most cards.
        cards_cap: most cards in a longer video; cards grow with the duration up to it.
        focus_max_count: the focus colour's count is uniform from 0 to this.
        other_lamps_max: lamp events of other colours, uniform from 0 to this.
        objects: how many of the objects move.
        moves: fewest and most moves of one object.
        margin_seconds: the last event ends at least this long before the end.
        jitter: largest offset of a card, as a fraction of the frame's side.
        reference_seconds: the duration that the counts are meant for.

    Raises:
        ConfigError: ranges that are empty or negative, or more cards than there are pairs of colour and shape.
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
                raise ConfigError(f"{name} = ({low}, {high})", "0 < fewest <= most", f"correct {name}")
        if self.gap_seconds < max(self.card_dwell_seconds) - min(self.card_dwell_seconds):
            raise ConfigError(
                f"gap_seconds = {self.gap_seconds}", "at least the spread of card dwell", "raise gap_seconds"
            )
        if not max(self.cards) <= self.cards_cap <= len(CARD_COLOURS) * len(SHAPES):
            raise ConfigError(f"cards_cap = {self.cards_cap}", "between cards and 48", "correct cards_cap")
        if not 0 <= self.jitter <= JITTER_LIMIT:
            raise ConfigError(f"jitter = {self.jitter}", f"0 to {JITTER_LIMIT}", "correct jitter")
        if not 0 <= self.objects <= 3 or not 0 <= self.focus_max_count <= 9 or self.other_lamps_max < 0:
            raise ConfigError(
                "impossible counts in WorldSettings", "0 to 3 objects, 0 to 9 lamp events", "correct them"
            )
        if not 0 <= self.margin_seconds < self.reference_seconds:
            found = f"margin_seconds = {self.margin_seconds}"
            raise ConfigError(found, f"0 or more, below {self.reference_seconds}", "correct margin_seconds")
