"""Faces in a picture, by MediaPipe's BlazeFace models."""

import contextlib
import cv2
import numpy as np
import os
import sys
import weakref
from typing import Literal

from inference.model_files import read_model
from inference.types import Detection

# MediaPipe imports TensorFlow where it is installed, which takes 15 s and is not needed.
_hidden = "tensorflow" not in sys.modules
if _hidden:
    sys.modules["tensorflow"] = None
try:
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision
finally:
    if _hidden:
        del sys.modules["tensorflow"]

FILES = {
    "short_range": "face_detection_short_range.tflite",
    "full_range": "face_detection_full_range_sparse.tflite",
}
NMS_IOU = 0.3
TILE = 0.6
"""Side of a tile as a part of the picture's side: a 2x2 grid of tiles overlaps by a fifth of the picture."""
SMALLEST_TILE = 192
"""Input size in pixels of the full-range model; tiles below it would only be scaled up."""


class FaceDetector:
    """MediaPipe FaceDetector with optional tiling; may be shared by threads.

    The short-range model is for one person before a camera: 1 to 2 ms, faces from about 80 px in a 640x480 frame. The
    full-range model is for photographs: 5 ms, from about 40 px. Both look at the whole picture scaled to 192 px (128 px
    for short range), so small faces in large photographs need `tiled`, which also looks at 2x2 overlapping tiles.

    Args:
        model: which of the two.
        tiled: search the tiles too; five times the work.
        min_score: detections below this confidence (0 to 1) are dropped.

    Raises:
        ModelError: the model file is missing or altered.
    """

    def __init__(
        self, model: Literal["short_range", "full_range"] = "full_range", tiled: bool = False, min_score: float = 0.5
    ):
        self.tiled = tiled
        options = vision.FaceDetectorOptions(
            base_options=BaseOptions(model_asset_buffer=read_model(FILES[model])),
            min_detection_confidence=min_score,
            min_suppression_threshold=NMS_IOU,
        )
        with _native_stderr_silenced():
            self._detector = vision.FaceDetector.create_from_options(options)
            self._detect_once(np.zeros((64, 64, 3), np.uint8))  # the first run logs too
        # An open detector can hang the interpreter at exit.
        self._finalizer = weakref.finalize(self, _close, self._detector)

    def detect(self, image: np.ndarray) -> list[Detection]:
        """Find all faces.

        Args:
            image: uint8 (H, W, 3), RGB, any size.

        Returns:
            Detections in pixels of the picture, from the largest to the smallest.

        Raises:
            ValueError: the array is not of that form, or the detector was closed.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise ValueError(f"a picture must be uint8 (H, W, 3) RGB, not {image.dtype} {image.shape}")
        if not self._finalizer.alive:
            raise ValueError("this FaceDetector was closed")
        found = self._detect_once(image)
        if self.tiled:
            for x, y, tile in _tiles(image):
                found += [_shift(detection, x, y) for detection in self._detect_once(tile)]
            found = _suppress(found)
        return sorted(found, key=lambda detection: -_area(detection.box))

    def close(self) -> None:
        """Free the native detector. Also done when the object is collected and at exit."""
        self._finalizer()

    def _detect_once(self, image: np.ndarray) -> list[Detection]:
        height, width = image.shape[:2]
        frame = mediapipe.Image(mediapipe.ImageFormat.SRGB, np.ascontiguousarray(image))
        detections = []
        for found in self._detector.detect(frame).detections:
            area = found.bounding_box
            box = (
                float(max(area.origin_x, 0)),
                float(max(area.origin_y, 0)),
                float(min(area.origin_x + area.width, width)),
                float(min(area.origin_y + area.height, height)),
            )
            if _area(box) <= 0:
                continue
            # MediaPipe's first two keypoints are the person's right and left eye: left and right in the picture.
            eyes = [(point.x * width, point.y * height) for point in found.keypoints[:2]]
            detections.append(Detection(box, float(found.categories[0].score), *eyes))
        return detections


def _tiles(image: np.ndarray) -> list[tuple[int, int, np.ndarray]]:
    """The 2x2 overlapping tiles as (x, y, view); none where they would be smaller than the model's input."""
    height, width = image.shape[:2]
    tile_height, tile_width = round(height * TILE), round(width * TILE)
    if min(tile_height, tile_width) < SMALLEST_TILE:
        return []
    return [
        (x, y, image[y : y + tile_height, x : x + tile_width])
        for y in (0, height - tile_height)
        for x in (0, width - tile_width)
    ]


def _shift(detection: Detection, x: int, y: int) -> Detection:
    x1, y1, x2, y2 = detection.box
    (left_x, left_y), (right_x, right_y) = detection.left_eye, detection.right_eye
    return Detection(
        (x1 + x, y1 + y, x2 + x, y2 + y), detection.score, (left_x + x, left_y + y), (right_x + x, right_y + y)
    )


def _suppress(detections: list[Detection]) -> list[Detection]:
    """Non-maximum suppression over the whole picture and its tiles."""
    if not detections:
        return []
    boxes = [(x1, y1, x2 - x1, y2 - y1) for x1, y1, x2, y2 in (detection.box for detection in detections)]
    kept = cv2.dnn.NMSBoxes(boxes, [detection.score for detection in detections], 0.0, NMS_IOU)
    return [detections[int(index)] for index in kept]


def _area(box: tuple[float, float, float, float]) -> float:
    x1, y1, x2, y2 = box
    return max(x2 - x1, 0) * max(y2 - y1, 0)


def _close(detector) -> None:
    with _native_stderr_silenced():
        try:
            detector.close()
        except RuntimeError:  # at exit MediaPipe's threads are gone already: leave the rest to the system
            detector._handle = None


@contextlib.contextmanager
def _native_stderr_silenced():
    """Send what native code writes to file descriptor 2 to nowhere: LiteRT logs some fifty lines for each detector."""
    sys.stderr.flush()
    saved, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)
