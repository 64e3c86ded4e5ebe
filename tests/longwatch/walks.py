"""Footage for tests: bright, textured and moving, so that cards are as hard to find as in real footage."""

from pathlib import Path

import numpy as np

from longpanda.video import encode

LOOKS = {"grass": (96, 150, 60), "snow": (232, 236, 242), "brick": (196, 84, 62), "sky": (120, 180, 245)}


def texture(rng, rgb, height_px, width_px):
    """Return noise of all scales around one colour, weaker at finer scales: uint8 [H, W, 3]."""
    picture = np.full((height_px, width_px, 3), rgb, np.float64)
    for cell_px in (64, 32, 16, 8, 4, 2, 1):
        rows, columns = -(-height_px // cell_px), -(-width_px // cell_px)
        grey = rng.normal(0, 9, (rows, columns, 1)) + rng.normal(0, 4, (rows, columns, 3))
        picture += np.kron(grey, np.ones((cell_px, cell_px, 1)))[:height_px, :width_px]
    return np.clip(picture, 0, 255).astype(np.uint8)


def confetti(rng, height_px, width_px):
    """Return patches of bright colours, as large as a card's digits and larger: the worst background for cards."""
    picture = np.zeros((height_px, width_px, 3), np.uint8)
    for _ in range(400):
        top, left, side = rng.integers(height_px), rng.integers(width_px), rng.integers(4, 40)
        picture[top : top + side, left : left + side] = rng.integers(0, 256, 3)
    return picture


def walk(path: Path, look: str, seconds=10, fps=4, height_px=128, width_px=228):
    """Yield the frames of a camera that pans over a texture."""
    rng = np.random.default_rng(len(look))
    still = confetti(rng, height_px, width_px) if look == "confetti" else texture(rng, LOOKS[look], height_px, width_px)
    frames = (np.roll(still, 3 * number, axis=1) for number in range(seconds * fps))
    encode(frames, path, fps, crf=18, preset="ultrafast", gop=fps * 2)
    return path
