"""Videos read once and asked often: in memory, or as an index on disk."""

from longpanda.index.build import Builder, IndexPlan
from longpanda.index.compose import compose
from longpanda.index.load import LongPanda, bundled, load
from longpanda.index.session import Session
from longpanda.index.video_index import VideoIndex

__all__ = ["Builder", "IndexPlan", "LongPanda", "Session", "VideoIndex", "bundled", "compose", "load"]
