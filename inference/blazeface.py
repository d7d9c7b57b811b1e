"""MediaPipe's short-range BlazeFace model: whole pictures are shown to it by MediaPipe, crops, many at once, by ONNX Runtime."""

import atexit
import logging
import os
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .imports import imported_later, not_installed
from .model_files import ModelError, read_model
from .native import forget_in_forks, native_stderr, open_no_sockets, use_c_locale
from .processors import usable_processors
from .search import areas, in_steps
from .sentences import IfadeError
from .session import Session
from .side_by_side import side_by_side
from .types import Detection

# TensorFlow takes 15 s where it is installed, what MediaPipe draws and records with half a second, and none of it is needed.
with imported_later("matplotlib", "matplotlib.pyplot", "sounddevice"), not_installed("tensorflow"):
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision
    from mediapipe.tasks.python.core import serial_dispatcher


NOWHERE = "http://127.0.0.1:9"
"""An address at which nobody listens."""


class _Dispatcher(serial_dispatcher.SerialDispatcher):
    """MediaPipe calls its library in a thread of its own for each detector, which is to know no locale but C and to call nobody.

    The library, which has no switch for that, would report its use to play.googleapis.com.
    """

    def __init__(self, *args):
        super().__init__(*args)
        self._executor.submit(_confine).result()


def _confine() -> None:
    use_c_locale()
    if not open_no_sockets():
        # What the library asks first, in the environment of native code alone: os.environ, from which Python's programs take
        # their proxies, stays as it is.
        os.putenv("https_proxy", NOWHERE)
        os.putenv("no_proxy", "")


FILE = "face_detection_short_range.tflite"
ONNX_FILE = "face_detection_short_range.onnx"
"""The same, of `python -m export.blazeface`, which also says what it answers."""
CANDIDATE_SCORE = 0.3
"""Score from which the model tells a place at all."""
SUPPRESSION = 0.3
"""Intersection over union from which what the model sees is one face, whose boxes are averaged."""
INPUT_SIZE = 128
"""Side of what the model sees in pixels."""
BATCH = 4
"""Crops in one run."""
MAX_FAILED = 20
"""MediaPipe detectors that may be given up in the life of a BlazeFace; each leaves 5 MB and four threads behind."""
BOX, POINTS = slice(0, 4), slice(4, 12)
"""The columns of the model's boxes that are used: the middle (x, y), width and height; the eyes, the nose and the mouth."""


class DetectorError(IfadeError, RuntimeError):
    """MediaPipe failed on a picture; the sentence is for the person who sent it."""


class BlazeFace:
    """Sees faces that fill an eighth of a picture and more; may be shared by threads.

    A MediaPipe detector that has failed once fails for good, so it is replaced, and the picture tried once more by another. A
    process that is forked opens its own when it first needs one.

    Args:
        model: of the looks at crops.
        threads: in which these go on at once; default: the processors this process may use.
        cuda: see `inference.session.Session`.

    Raises:
        ModelError: a model file is missing or altered.
    """

    def __init__(self, model: str | Path = ONNX_FILE, threads: int | None = None, cuda: bool = True):
        # Each of its operations is too small to be divided: many crops are seen in several runs at once, each in one thread.
        self.session = Session(model, 1, cuda)
        self._threads = threads or usable_processors()
        _close(_dropped)
        self._current: list[vision.FaceDetector | None] = [open_detector(FILE)]  # None: to be opened when it is needed
        self._failed: list[vision.FaceDetector] = []  # and those that are tried because another failed
        self._lock = threading.Lock()
        # Closing takes locks that the thread in which garbage is collected may be holding.
        self._finalizer = weakref.finalize(
            self, lambda *kept: _dropped.extend(_all(*kept)), self._current, self._failed
        )
        self._finalizer.atexit = False
        _in_use.add(self)
        forget_in_forks(self)

    def forget_parents(self) -> None:
        """See `inference.native.forget_in_forks`."""
        for detector in filter(None, [*self._current, *self._failed, *_dropped]):
            detector._handle = None  # nothing is closed
        self._current[:] = [None]
        self._failed.clear()
        _dropped.clear()
        self._lock = threading.Lock()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return not self._finalizer.alive

    def look_near(self, crops: Sequence[np.ndarray]) -> list[list[Detection]]:
        """What the model sees in crops, each uint8 (INPUT_SIZE, INPUT_SIZE, 3), RGB, in pixels of the crop; as `look` does, with the
        differences that `export.blazeface` bounds."""
        if not crops:
            return []
        count = min(self._threads, -(-len(crops) // BATCH))
        found: list[list[Detection]] = [[] for _ in crops]
        with side_by_side(count - 1) as begin:
            others = [begin(self._look_near, crops[number::count]) for number in range(1, count)]
            found[::count] = self._look_near(crops[::count])
            for number, wait in enumerate(others, 1):
                found[number::count] = wait()
        return found

    def _look_near(self, crops: Sequence[np.ndarray]) -> list[list[Detection]]:
        found: list[list[Detection]] = []
        for start in range(0, len(crops), BATCH):
            images = np.stack(crops[start : start + BATCH]).astype(np.float32) * np.float32(2 / 255) - 1
            boxes, scores = self.session.run(["boxes", "scores"], {"image": images})
            found += map(faces_of, boxes, scores)
        return found

    def look(self, image: np.ndarray) -> list[Detection]:
        """What the model sees in a picture, uint8 (H, W, 3), RGB, in its pixels, possibly several for one face.

        Raises:
            DetectorError: MediaPipe failed on this picture, twice.
        """
        (model,) = self._current
        if model is None:
            with self._lock:
                model = self._current[0] = self._current[0] or _open_again()
        try:
            return run_model(model, image)
        except (RuntimeError, ValueError) as error:
            self._give_up(model, error)
        # Once more, by one that no other thread uses yet: a picture that fails again fails none of theirs.
        with self._lock:
            own = _open_again()
            self._failed.append(own)
        try:
            seen = run_model(own, image)
        except (RuntimeError, ValueError):
            raise DetectorError("detector_failed") from None
        with self._lock:
            self._failed.remove(own)
            if self._current[0] is None:
                self._current[0] = own
                return seen
        _close([own])
        return seen

    def _give_up(self, model: vision.FaceDetector, failure: Exception) -> None:
        """Let another take the place of a MediaPipe detector, once for all threads in which it failed."""
        with self._lock:
            if self._current[0] is not model:
                return
            logging.getLogger(__name__).warning("The face detector failed: %s", failure)
            if len(self._failed) >= MAX_FAILED:
                raise DetectorError("detector_failed_often")
            # Not closed yet: other threads may be using it.
            self._failed.append(model)
            self._current[0] = None

    def close(self) -> None:
        """Free the native detectors. Also done at exit, and some time after the object was collected."""
        if self._finalizer.detach():
            _close(_all(self._current, self._failed))


def open_detector(file: str) -> vision.FaceDetector:
    """MediaPipe's detector of a file in models/, in a thread of its own.

    Raises:
        ModelError: the file is missing, altered or not a model for it.
    """
    options = vision.FaceDetectorOptions(
        base_options=BaseOptions(model_asset_buffer=read_model(file)),
        min_detection_confidence=CANDIDATE_SCORE,
        min_suppression_threshold=SUPPRESSION,
    )
    with native_stderr():  # LiteRT logs some fifty lines for each detector
        opened, others = [], serial_dispatcher.SerialDispatcher
        serial_dispatcher.SerialDispatcher = _Dispatcher  # of no task of MediaPipe's that the program has besides
        try:
            opened.append(vision.FaceDetector.create_from_options(options))
            for side in (64, 512, 64, 512):  # the first runs log too, with whatever memory they are given
                run_model(opened[0], np.zeros((side, side, 3), np.uint8))
        except (RuntimeError, ValueError) as error:
            _close(opened)
            raise ModelError("model_not_mediapipe", model=file, reason=error) from None
        finally:
            serial_dispatcher.SerialDispatcher = others
    return opened[0]


def _open_again() -> vision.FaceDetector:
    """Raises a DetectorError where that is not possible."""
    try:
        return open_detector(FILE)
    except ModelError as error:
        raise DetectorError("detector_not_opened", problem=error) from None


def run_model(model: vision.FaceDetector, image: np.ndarray) -> list[Detection]:
    """What a MediaPipe detector sees in a picture, uint8 (H, W, 3), in its pixels.

    Raises:
        RuntimeError, ValueError: it failed, and from then on fails on all pictures.
    """
    height, width = image.shape[:2]
    pixel = max(height, width) / INPUT_SIZE  # of the model
    frame = mediapipe.Image(mediapipe.ImageFormat.SRGB, np.ascontiguousarray(image))
    detections = []
    try:
        result = model.detect(frame)
    except KeyboardInterrupt:
        # The library goes on in its thread, with the frame's memory, which is freed when this is left.
        model._lib._executor.submit(int).result()
        raise
    for found in result.detections:
        place = found.bounding_box
        box = clip(
            place.origin_x, place.origin_y, place.origin_x + place.width, place.origin_y + place.height, image.shape
        )
        # The person's right and left eye, which are left and right in the picture, the tip of the nose, the mouth's middle.
        points = (
            in_steps(np.array([(point.x, point.y) for point in found.keypoints[:4]]) * (width, height) / pixel) * pixel
        )
        left_eye, right_eye, nose, mouth = map(tuple, points.tolist())
        if area(box) > 0:
            detections.append(Detection(box, float(found.categories[0].score), left_eye, right_eye, nose, mouth))
    return detections


def faces_of(boxes: np.ndarray, scores: np.ndarray) -> list[Detection]:
    """What MediaPipe makes of the model's answers to a crop, boxes (896, 16) and scores (896,), by weighted non-maximum suppression:
    those that share more than SUPPRESSION with the best one are averaged with it by their scores."""
    chosen = np.flatnonzero(scores >= CANDIDATE_SCORE)
    chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
    values, weights = boxes[chosen].astype(float), scores[chosen].astype(float)
    middle, size = np.split(values[:, BOX], 2, axis=1)
    corners = np.concatenate([middle - size / 2, middle + size / 2], axis=1)
    own, shared = areas(corners)
    close = shared > SUPPRESSION * (own[:, None] + own - shared)
    left, found = np.ones(len(chosen), bool), []
    while left.any():
        best = int(left.argmax())
        group = left & close[best]
        group[best] = True
        left &= ~group
        mean = weights[group] @ np.concatenate([corners, values[:, POINTS]], axis=1)[group] / weights[group].sum()
        x1, y1, x2, y2 = (mean[BOX] * INPUT_SIZE).tolist()
        # MediaPipe tells whole pixels, and shifts a box that begins beyond the picture to its edge.
        x, y = max(int(x1), 0), max(int(y1), 0)
        box = clip(x, y, x + int(x2 - x1), y + int(y2 - y1), (INPUT_SIZE, INPUT_SIZE))
        if area(box) > 0:
            points = in_steps(mean[POINTS].reshape(-1, 2) * INPUT_SIZE).tolist()
            left_eye, right_eye, nose, mouth = map(tuple, points)
            found.append(Detection(box, float(scores[chosen[best]]), left_eye, right_eye, nose, mouth))
    return found


def clip(x1: float, y1: float, x2: float, y2: float, shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    """The part of a box that lies in a picture of a shape (H, W, ...)."""
    height, width = shape[:2]
    return float(max(x1, 0)), float(max(y1, 0)), float(min(x2, width)), float(min(y2, height))


def area(box: tuple[float, float, float, float]) -> float:
    """The area of a box (x1, y1, x2, y2) in square pixels, 0 where it is turned inside out."""
    x1, y1, x2, y2 = box
    return max(x2 - x1, 0) * max(y2 - y1, 0)


def _all(current: list, failed: list) -> list[vision.FaceDetector]:
    return [*current, *failed]


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


_in_use: weakref.WeakSet[BlazeFace] = weakref.WeakSet()
_dropped: list[vision.FaceDetector] = []
"""Those of collected BlazeFaces, to be closed with the next occasion."""


@atexit.register
def _close_the_rest() -> None:
    """An open detector can hang the interpreter at exit."""
    for detector in list(_in_use):
        detector.close()
    _close(_dropped)
