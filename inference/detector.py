"""Faces in a picture, by MediaPipe's BlazeFace models."""

import atexit
import cv2
import logging
import math
import numpy as np
import os
import sys
import threading
import weakref
from typing import Literal

from inference.alignment import cut_square
from inference.model_files import ModelError, read_model
from inference.native import forget_in_forks, native_stderr, use_c_locale
from inference.types import Detection

# MediaPipe imports TensorFlow where it is installed, which takes 15 s and is not needed.
_hidden = "tensorflow" not in sys.modules
if _hidden:
    sys.modules["tensorflow"] = None
try:
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision
    from mediapipe.tasks.python.core import serial_dispatcher
finally:
    if _hidden:
        del sys.modules["tensorflow"]


class _Dispatcher(serial_dispatcher.SerialDispatcher):
    """MediaPipe calls its library in a thread of its own for each detector, which is to know no locale but C."""

    def __init__(self, *args):
        super().__init__(*args)
        self._executor.submit(use_c_locale).result()


serial_dispatcher.SerialDispatcher = _Dispatcher

NOWHERE = "http://127.0.0.1:9"
"""An address at which nobody listens."""

FILES = {
    "short_range": "face_detection_short_range.tflite",
    "full_range": "face_detection_full_range_sparse.tflite",
}
CANDIDATE_SCORE = 0.3
"""Score of the first look from which a place is looked at again; see benchmarks/detection.py for the measurement."""
MIN_SCORE = 0.72
"""Score of the second look from which it is a face."""
SECOND_LOOK = 2.0
"""Side of the second look in sides of the candidate's box."""
SECOND_LOOK_SIZE = 128
"""Input size in pixels of the short-range model, which takes the second look."""
KEEP_SCORE = 0.5
"""The same for a face that was one in the frame before: a face that turns away for a moment is not lost."""
FEW_FACES = 2
"""So many faces of a stream are looked at one by one; more are cheaper to find by one first look at the whole frame."""
SHORT_RANGE_SIDE = 0.13
"""Side of a face, in sides of the frame, from which the short-range model finds it as surely as the full-range one."""
VERIFY_EVERY = 3
"""Of the faces of a crowd one gets a second look in every so many frames."""
SAME_FACE = 0.3
"""Intersection over union from which a place of the first look is the face that was expected near it."""
MAX_OVERLAP = 0.5
"""Of two detections that share more than this part of the smaller box, the one with the lower score is dropped."""
TILES = 3
"""Tiles in a row and in a column."""
TILE_OVERLAP = 0.25
"""What neighbouring tiles share, as a part of a tile's side."""
SMALLEST_TILE = 192
"""Input size in pixels of the full-range model; tiles below it would only be scaled up."""
MAX_FAILED = 20
"""MediaPipe detectors that may be given up in the life of a FaceDetector; each leaves 5 MB and four threads behind."""


class DetectorError(RuntimeError):
    """MediaPipe failed on a picture; the message is one for the person who sent it."""


def send_no_reports() -> None:
    """Keep MediaPipe, which has no switch for that, from reporting its use to play.googleapis.com.

    What it asks first is https_proxy of the environment, and no_proxy for exceptions. For programs that ask other machines for nothing by HTTPS
    themselves; to be called before the first detector is made.
    """
    os.environ["https_proxy"] = NOWHERE
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "localhost,127.0.0.1,::1"  # no exception but this machine


class FaceDetector:
    """MediaPipe's BlazeFace models in two looks; may be shared by threads.

    The first look collects places that may be a face. The short-range model, 2 ms, sees the picture scaled to 128 px:
    faces from about an eighth of its width, also those that fill it. It is enough for one person before a camera. The
    full-range model, 5 ms, sees it scaled to 192 px and adds faces half as large, but misses those that fill it, so
    "full_range" takes both. Small faces in large photographs need `tiled`: 3x3 overlapping tiles are searched too.

    The second look, 2 ms for each place, is the short-range model's on a crop twice as large as the face and turned so
    that the eyes are level. Its score decides, which removes nearly all false faces, and its box and eyes are returned:
    they vary half as much as those of the first look when a face moves. `python -m benchmarks.detection` and
    `python -m benchmarks.alignment` measure both.

    A MediaPipe detector that has failed once fails for good, so it is replaced and the picture tried once more. A process that
    is forked opens its own when it first needs them.

    Args:
        model: "short_range" for one person before a camera, "full_range" for photographs.
        tiled: search tiles too, with the chosen model; eight times the work of the first look.
        min_score: detections below this confidence (0 to 1) in the second look are dropped.

    Raises:
        ModelError: a model file is missing or altered.

    Attributes:
        models: MediaPipe's detectors by name, those of the first look; the short-range one takes the second look.
    """

    def __init__(
        self,
        model: Literal["short_range", "full_range"] = "full_range",
        tiled: bool = False,
        min_score: float = MIN_SCORE,
    ):
        self.tiled = tiled
        self.min_score = min_score
        _close(_dropped)
        self.models: dict[str, vision.FaceDetector | None] = {
            name: _open(FILES[name]) for name in dict.fromkeys(("short_range", model))
        }
        self._failed: list[vision.FaceDetector] = []
        self._lock = threading.Lock()
        # Closing takes locks that the thread in which garbage is collected may be holding.
        self._finalizer = weakref.finalize(self, lambda *kept: _dropped.extend(_all(*kept)), self.models, self._failed)
        self._finalizer.atexit = False
        _in_use.add(self)
        forget_in_forks(self)

    def forget_parents(self) -> None:
        """See `inference.native.forget_in_forks`."""
        for detector in filter(None, _all(self.models, self._failed) + _dropped):
            detector._handle = None  # nothing is closed
        self.models.update(dict.fromkeys(self.models))
        self._failed.clear()
        _dropped.clear()
        self._lock = threading.Lock()

    def detect(self, image: np.ndarray) -> list[Detection]:
        """Find all faces.

        Args:
            image: uint8 (H, W, 3), RGB, any size.

        Returns:
            Detections in pixels of the picture, from the largest to the smallest.

        Raises:
            ValueError: the array is not of that form, or the detector was closed.
            DetectorError: MediaPipe failed on this picture, twice.
        """
        tiles = TILES if self.tiled else 0
        candidates = suppress(self.candidates(image, tiles))
        looks = [self._is_face(image, candidate, self.min_score) for candidate in candidates]
        found = suppress([look for look in looks if look is not None])
        return sorted(found, key=lambda detection: -_area(detection.box))

    def follow(self, image: np.ndarray, expected: list[Detection], search: bool, turn: int = 0) -> list[Detection]:
        """Find the faces of a frame of a stream, most of which were seen in the frame before.

        Up to FEW_FACES get a second look where they are expected. More are found by one first look, of the model that suits
        the smallest of them, and get a second look in turn, so that nothing else passes for a face for long.

        Args:
            image: uint8 (H, W, 3), RGB, any size.
            expected: where the faces should be by now.
            search: look for new faces too, in the whole frame; not in tiles.
            turn: the number of the frame.

        Returns:
            Detections in pixels of the frame, in no particular order.

        Raises:
            ValueError, DetectorError: as for `detect`.
        """
        self._check(image)
        height, width = image.shape[:2]
        expected = [
            face for face in expected if 0 <= _center(face.box)[0] < width and 0 <= _center(face.box)[1] < height
        ]
        models = list(self.models)
        found, missed, places = [], expected, []
        if len(expected) > FEW_FACES:
            smallest = min(face.box[2] - face.box[0] for face in expected)
            model = models.pop(0 if smallest >= SHORT_RANGE_SIDE * max(height, width) else -1)
            places, missed = suppress(self._see(model, image)), []
            verified = turn // VERIFY_EVERY % len(expected) if turn % VERIFY_EVERY == 0 else None
            for number, face in enumerate(expected):
                place = max(places, key=lambda place: _iou(place.box, face.box), default=None)
                if place is None or _iou(place.box, face.box) < SAME_FACE:
                    missed.append(face)
                elif number != verified or self._is_face(image, place, KEEP_SCORE):
                    found.append(place)
            # Many may have gone; they are looked for in turn.
            missed = [missed[(turn + number) % len(missed)] for number in range(min(len(missed), FEW_FACES))]
        found += filter(None, (self._is_face(image, face, KEEP_SCORE) for face in missed))
        if search or not expected:
            for model in models if search else models[:1]:
                places += self._see(model, image)
            new = suppress([place for place in places if not any(_overlap(place.box, face.box) for face in found)])
            found += filter(None, (self._is_face(image, place, self.min_score) for place in new))
        return suppress(found)

    def _is_face(self, image: np.ndarray, place: Detection, min_score: float) -> Detection | None:
        look = self.look_again(image, place)
        return look if look is not None and look.score >= min_score else None

    def _check(self, image: np.ndarray) -> None:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise ValueError(f"a picture must be uint8 (H, W, 3) RGB, not {image.dtype} {image.shape}")
        if not self._finalizer.alive:
            raise ValueError("this FaceDetector was closed")

    def candidates(self, image: np.ndarray, tiles: int) -> list[Detection]:
        """The first look, with tiles x tiles tiles: places that may be a face, possibly several for one face."""
        self._check(image)
        found = [detection for model in self.models for detection in self._see(model, image)]
        model = list(self.models)[-1]
        for x, y, tile in _tiles(image, tiles):
            to_picture = np.array([[1.0, 0.0, x], [0.0, 1.0, y]])
            found += [_map(detection, to_picture, image.shape) for detection in self._see(model, tile)]
        return found

    def look_again(self, image: np.ndarray, candidate: Detection) -> Detection | None:
        """The second look: the face as the short-range model sees it from near, or None where it sees none."""
        (x1, y1, x2, y2), (left_x, left_y), (right_x, right_y) = candidate.box, candidate.left_eye, candidate.right_eye
        side = SECOND_LOOK * max(x2 - x1, y2 - y1)
        roll = math.atan2(right_y - left_y, right_x - left_x)
        crop, matrix = cut_square(
            image, ((x1 + x2) / 2, (y1 + y2) / 2), side, roll, SECOND_LOOK_SIZE, cv2.BORDER_CONSTANT
        )
        # The candidate in the middle, not a neighbour's face.
        reach = SECOND_LOOK_SIZE / SECOND_LOOK / 2
        near = [
            detection
            for detection in self._see("short_range", crop)
            if max(abs(value - SECOND_LOOK_SIZE / 2) for value in _center(detection.box)) < reach
        ]
        if not near:
            return None
        best = _map(max(near, key=lambda detection: detection.score), cv2.invertAffineTransform(matrix), image.shape)
        return best if _area(best.box) > 0 else None

    def _see(self, name: str, image: np.ndarray) -> list[Detection]:
        """What one of `models` sees in a picture."""
        if self.models[name] is None:
            with self._lock:
                self.models[name] = self.models[name] or _open(FILES[name])
        model = self.models[name]
        try:
            return run_model(model, image)
        except (RuntimeError, ValueError) as error:
            failure = error
        with self._lock:
            if self.models[name] is model:
                logging.getLogger(__name__).warning("The %s face detector failed: %s", name, failure)
                if len(self._failed) >= MAX_FAILED:
                    raise DetectorError("The face detector has failed too often. The page must be started again.")
                # Not closed yet: other threads may be using it.
                self._failed.append(model)
                try:
                    self.models[name] = _open(FILES[name])
                except ModelError as error:
                    raise DetectorError(f"The face detector failed and cannot be opened again. {error}") from None
        try:
            return run_model(self.models[name], image)
        except (RuntimeError, ValueError):
            raise DetectorError("The face detector failed on this picture. Send it again, or another one.") from None

    def close(self) -> None:
        """Free the native detectors. Also done at exit, and some time after the object was collected."""
        if self._finalizer.detach():
            _close(_all(self.models, self._failed))


def suppress(detections: list[Detection]) -> list[Detection]:
    """Non-maximum suppression by the shared part of the smaller box: a tile's edge cuts faces, and the part of a face
    lies inside the whole one with little intersection over union."""
    kept = []
    for detection in sorted(detections, key=lambda detection: -detection.score):
        if not any(_overlap(detection.box, other.box) for other in kept):
            kept.append(detection)
    return kept


def _open(file: str) -> vision.FaceDetector:
    options = vision.FaceDetectorOptions(
        base_options=BaseOptions(model_asset_buffer=read_model(file)), min_detection_confidence=CANDIDATE_SCORE
    )
    with native_stderr():  # LiteRT logs some fifty lines for each detector
        opened = []
        try:
            opened.append(vision.FaceDetector.create_from_options(options))
            run_model(opened[0], np.zeros((64, 64, 3), np.uint8))  # the first run logs too
        except (RuntimeError, ValueError) as error:
            _close(opened)
            raise ModelError(f"{file} is not a model that MediaPipe can use: {error}") from None
    return opened[0]


def run_model(model: vision.FaceDetector, image: np.ndarray) -> list[Detection]:
    """What one of FaceDetector.models sees in a picture, uint8 (H, W, 3)."""
    height, width = image.shape[:2]
    frame = mediapipe.Image(mediapipe.ImageFormat.SRGB, np.ascontiguousarray(image))
    detections = []
    for found in model.detect(frame).detections:
        area = found.bounding_box
        box = _clip(area.origin_x, area.origin_y, area.origin_x + area.width, area.origin_y + area.height, image.shape)
        # MediaPipe's first two keypoints are the person's right and left eye: left and right in the picture.
        eyes = [(point.x * width, point.y * height) for point in found.keypoints[:2]]
        if _area(box) > 0:
            detections.append(Detection(box, float(found.categories[0].score), *eyes))
    return detections


def _tiles(image: np.ndarray, count: int) -> list[tuple[int, int, np.ndarray]]:
    """count x count overlapping tiles as (x, y, view); none where they would be smaller than the model's input."""
    height, width = image.shape[:2]
    part = 1 / (count - (count - 1) * TILE_OVERLAP) if count else 0
    tile_height, tile_width = round(height * part), round(width * part)
    if min(tile_height, tile_width) < SMALLEST_TILE:
        return []
    return [
        (x, y, image[y : y + tile_height, x : x + tile_width])
        for y in np.linspace(0, height - tile_height, count).round().astype(int).tolist()
        for x in np.linspace(0, width - tile_width, count).round().astype(int).tolist()
    ]


def _map(detection: Detection, matrix: np.ndarray, shape: tuple[int, ...]) -> Detection:
    """Carry a detection into a picture of the given shape by a similarity (2, 3). A box stays upright: its centre and
    its size are carried."""
    x1, y1, x2, y2 = detection.box
    scale = math.hypot(matrix[0, 0], matrix[1, 0])
    half_width, half_height = (x2 - x1) / 2 * scale, (y2 - y1) / 2 * scale
    (x, y), left_eye, right_eye = (
        tuple(map(float, matrix @ (*point, 1.0)))
        for point in (_center(detection.box), detection.left_eye, detection.right_eye)
    )
    box = _clip(x - half_width, y - half_height, x + half_width, y + half_height, shape)
    return Detection(box, detection.score, left_eye, right_eye)


def _clip(x1: float, y1: float, x2: float, y2: float, shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    height, width = shape[:2]
    return float(max(x1, 0)), float(max(y1, 0)), float(min(x2, width)), float(min(y2, height))


def _center(box: tuple[float, float, float, float]) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _area(box: tuple[float, float, float, float]) -> float:
    x1, y1, x2, y2 = box
    return max(x2 - x1, 0) * max(y2 - y1, 0)


def _shared(box: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    (x1, y1, x2, y2), (left, top, right, bottom) = box, other
    return _area((max(x1, left), max(y1, top), min(x2, right), min(y2, bottom)))


def _overlap(box: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return _shared(box, other) > MAX_OVERLAP * min(_area(box), _area(other))


def _iou(box: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    shared = _shared(box, other)
    return shared / max(_area(box) + _area(other) - shared, 1e-9)


def _all(models: dict, failed: list) -> list[vision.FaceDetector]:
    return [*models.values(), *failed]


def _close(detectors: list[vision.FaceDetector]) -> None:
    """Close and remove all of them."""
    with native_stderr():
        while detectors:
            detector = detectors.pop()
            if detector is None:  # not opened yet in a forked process
                continue
            try:
                detector.close()
            except (
                RuntimeError
            ):  # it has failed, or at exit MediaPipe's threads are gone: the rest is left to the system
                detector._handle = None


_in_use: weakref.WeakSet[FaceDetector] = weakref.WeakSet()
_dropped: list[vision.FaceDetector] = []
"""Those of collected FaceDetectors, to be closed with the next occasion."""


@atexit.register
def _close_the_rest() -> None:
    """An open detector can hang the interpreter at exit."""
    for detector in list(_in_use):
        detector.close()
    _close(_dropped)
