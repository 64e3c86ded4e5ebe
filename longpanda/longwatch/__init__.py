"""LongWatch: a generated world with exact answers, to train and to test long-video models."""

from longpanda.longwatch.events import Card, Event, Lamp, Move
from longpanda.longwatch.families import FAMILIES, PRACTICE, Family, normalise, split_words, vocabulary
from longpanda.longwatch.film import film, read_scene
from longpanda.longwatch.generate import generate, generate_still
from longpanda.longwatch.render import frame_hash, render
from longpanda.longwatch.scene import Background, Scene, Shot, Topic
from longpanda.longwatch.settings import WorldSettings
from longpanda.longwatch.splits import Split, scene_seed, split_of

__all__ = [
    "FAMILIES",
    "PRACTICE",
    "Background",
    "Card",
    "Event",
    "Family",
    "Lamp",
    "Move",
    "Scene",
    "Shot",
    "Split",
    "Topic",
    "WorldSettings",
    "film",
    "frame_hash",
    "generate",
    "generate_still",
    "normalise",
    "read_scene",
    "render",
    "scene_seed",
    "split_of",
    "split_words",
    "vocabulary",
]
