"""The faces of a stream of frames, found, followed and classified."""

import numpy as np
from dataclasses import replace

from inference.analyzer import FaceAnalyzer, reading_order
from inference.tracker import FaceTracker, TrackedFace

SEARCH_SECONDS = 0.25
"""How often a live frame is searched for new faces while there are some."""


class FaceFollower:
    """One stream: a FaceAnalyzer, which may be shared, and a FaceTracker of its own. Not for several threads at once.

    Args:
        analyzer: its detector should be one without tiles.
        thorough: search every frame as a picture of its own. Else faces are looked for where they are expected and new
            ones every SEARCH_SECONDS, which takes a fraction of the time.
    """

    def __init__(self, analyzer: FaceAnalyzer, thorough: bool = False):
        self.tracker = FaceTracker()
        self._analyzer, self._thorough = analyzer, thorough
        self._searched: float | None = None
        self._turn = 0

    def analyze(
        self, image: np.ndarray, seconds: float, width: float | None = None, age_gender: bool = False
    ) -> list[TrackedFace]:
        """Everybody in one frame, with one ONNX Runtime call for each model.

        Args:
            image: uint8 (H, W, 3), RGB, upright.
            seconds: the frame's time; must grow from frame to frame.
            width: of the camera's picture, in whose pixels places are given; default: the frame's. Frames may come scaled
                down, each to another size.
            age_gender: estimate age and gender too.

        Returns:
            In the order of their ids.

        Raises:
            ValueError: the array is not of that form, or the time is not finite.
            DetectorError: MediaPipe failed on this frame; the next may be given.
        """
        detector = self._analyzer.detector
        scale = (width or image.shape[1]) / image.shape[1]
        if self._thorough:
            detections = detector.detect(image)
        else:
            search = self._searched is None or seconds - self._searched >= SEARCH_SECONDS
            expected = [detection.scaled(1 / scale) for _, detection in self.tracker.predict(seconds)]
            detections = detector.follow(image, expected, search, self._turn)
            self._turn += 1
            if search:
                self._searched = seconds
        # So that those who are there at first are numbered as one reads.
        faces = self._analyzer.classify(image, reading_order(detections), age_gender)
        if scale != 1:
            faces = [replace(face, detection=face.detection.scaled(scale)) for face in faces]
        return sorted(self.tracker.update(faces, seconds), key=lambda face: face.id)
