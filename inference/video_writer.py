"""Videos, written as H.264."""

import math
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from .imports import imported_later
from .video import THREADS

with imported_later("av"):
    import av

TIME_BASE = 90_000
"""Ticks a second of a written video."""
KEY_FRAME_SECONDS = 2.0
"""How often a written video can be entered, and about how much of it is lost with a killed process."""


class VideoWriter:
    """A video in H.264 and MP4 of pictures with times of their own; a context manager.

    After close() it is an ordinary MP4 file, or an empty one where no picture was written. Should the process be killed
    before, what was written until about two key frames earlier can be played.

    Args:
        path: written anew.
        width, height: of all pictures, in pixels. Odd sizes get one more row or column, a copy of the last.
        comment: on the video, kept near the beginning of the file.

    Raises:
        OSError: the file cannot be written; write() and close() raise it too.
    """

    def __init__(self, path: str | Path, width: int, height: int, comment: str = ""):
        self.width, self.height = width, height
        with open(path, "wb"):  # so that a path that cannot be written is refused at once
            pass
        # In fragments that become an ordinary file at the end, each of them written at once.
        options = {"movflags": "hybrid_fragmented+frag_keyframe", "fflags": "+flush_packets"}
        # The prefix says that it is a file even if its name looks like an address.
        self._container = av.open(f"file:{Path(path)}", "w", format="mp4", options=options)
        self._container.metadata["comment"] = comment
        self._stream = self._container.add_stream("libx264", options={"preset": "veryfast", "crf": "21"})
        self._stream.width, self._stream.height = width + width % 2, height + height % 2
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        context.time_base = Fraction(1, TIME_BASE)
        context.thread_count = THREADS
        context.max_b_frames = 0  # times need no reordering then
        context.gop_size = 100_000  # key frames are set by time below
        context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
        context.color_range = 1
        self._ticks: int | None = None
        self._key_frame = -math.inf

    def write(self, image: np.ndarray, seconds: float) -> None:
        """Add a picture.

        Args:
            image: uint8 (height, width, 3), RGB.
            seconds: when it is shown; later than the one before.

        Raises:
            ValueError: another size, or not later.
        """
        if image.shape != (self.height, self.width, 3) or image.dtype != np.uint8:
            raise ValueError(f"pictures must be uint8 {(self.height, self.width, 3)}, not {image.dtype} {image.shape}")
        ticks = round(seconds * TIME_BASE)
        if self._ticks is not None and ticks <= self._ticks:
            raise ValueError(f"a picture at {seconds} s is not later than the one before")
        even: np.ndarray = cv2.copyMakeBorder(image, 0, self.height % 2, 0, self.width % 2, cv2.BORDER_REPLICATE)
        picture = av.VideoFrame.from_ndarray(even, format="rgb24").reformat(
            format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", threads=1
        )
        picture.pts, picture.time_base = ticks, Fraction(1, TIME_BASE)
        if seconds >= self._key_frame + KEY_FRAME_SECONDS:
            picture.pict_type = av.video.frame.PictureType.I
            self._key_frame = seconds
        self._ticks = ticks
        self._container.mux(self._stream.encode(picture))

    def close(self) -> None:
        """Complete the file; a second call does nothing."""
        container, self._container = self._container, None
        if container is not None:
            try:
                if self._ticks is not None:  # FFmpeg crashes on completing a file without pictures
                    container.mux(self._stream.encode(None))
            finally:
                container.close()

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, *_) -> None:
        self.close()
