"""Colours of charts: ramps of one hue that suit all colour vision and print, with legible text on every shade."""

from typing import Final

LIGHT: Final = ("#f7fbff", "#deebf7", "#c6dbef", "#9ecae1", "#6baed6", "#4292c6", "#2171b5", "#08519c", "#08306b")
"""ColorBrewer's Blues, from 0 to 1, for a white page."""
DARK: Final = ("#17212e", "#1a344e", "#1d4b73", "#24659b", "#3c86c2", "#68abdf", "#98cbf2", "#c3e2fb", "#e4f3ff")
"""The same hue for a dark page; larger values are brighter."""
MODELS: Final = ("#0072b2", "#d55e00")
"""Colours of the first and second model: blue and vermilion of Okabe and Ito. Their markers also differ in shape."""
_INKS: Final = ("#000000", "#ffffff")


def shade(share: float, ramp: tuple[str, ...] = LIGHT) -> tuple[str, str]:
    """Return the background for a share, and the text colour with the higher contrast on it."""
    place = min(1.0, max(0.0, share)) * (len(ramp) - 1)
    below = min(int(place), len(ramp) - 2)
    mixed = (a + (b - a) * (place - below) for a, b in zip(_rgb(ramp[below]), _rgb(ramp[below + 1]), strict=True))
    background = "#" + "".join(f"{round(part):02x}" for part in mixed)
    return background, max(_INKS, key=lambda ink: contrast(ink, background))


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21, as defined by WCAG 2."""
    dark, light = sorted(_luminance(colour) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [part / 255 for part in _rgb(colour)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
