"""Read and write video files: probe, choose seconds, decode the frames shown then, letterbox and encode."""

from longpanda.video.chunks import FrameChunk, iter_chunks
from longpanda.video.decode import decode, iter_frames
from longpanda.video.decode_pool import check_workers
from longpanda.video.encode import encode
from longpanda.video.frame_times import FrameTimes, frame_times
from longpanda.video.info import VideoInfo
from longpanda.video.letterbox import CLIP_MEAN_RGB, Letterbox, letterbox, letterbox_box, resize
from longpanda.video.opened import TimedFrame
from longpanda.video.probe import probe
from longpanda.video.rgb import Geometry
from longpanda.video.sampling import Sampling, at_fps, explicit, uniform

__all__ = [
    "CLIP_MEAN_RGB",
    "FrameChunk",
    "FrameTimes",
    "Geometry",
    "Letterbox",
    "Sampling",
    "TimedFrame",
    "VideoInfo",
    "at_fps",
    "check_workers",
    "decode",
    "encode",
    "explicit",
    "frame_times",
    "iter_chunks",
    "iter_frames",
    "letterbox",
    "letterbox_box",
    "probe",
    "resize",
    "uniform",
]
