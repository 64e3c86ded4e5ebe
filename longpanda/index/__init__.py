"""Visual tokens of a video on disk: the `.vidx` format, and how an index is built, resumed and appended to."""

from longpanda.index.builder import IndexBuilder, IndexPlan
from longpanda.index.video_index import VideoIndex

__all__ = ["IndexBuilder", "IndexPlan", "VideoIndex"]
