"""The faces of a stream of frames, found, followed and classified."""

import math

import cv2
import numpy as np

from .analyzer import Cut, FaceAnalyzer, reading_order
from .detector import check_picture
from .tracker import FaceTracker, Placed, TrackedFace
from .types import Face

SEARCH_SECONDS = 0.25
"""How often a frame is searched for new faces while there are some."""
THOROUGH_SECONDS = 1.0
"""How often for small ones too."""
THOROUGH_FRAMES = 4
"""The same in frames of a camera, at least: where each comes after a second all of them would be searched so, which takes three times
as long, and those who have to wait for it would never catch up."""
SCENE_SIDE = 8
"""Side in pixels to which frames are reduced to see whether they show the same scene."""
SCENE_SAMPLES = 128
"""Pixels of a row and of a column that are looked at for that; all of them take half a millisecond."""
OTHER_SCENE = 0.3
"""Correlation of two such frames below which they are of two scenes: of pictures of different things 85 % lie below it, of
pictures that move on by a twentieth or grow by a tenth 1 % and less, and light does not change it."""
PERHAPS_OTHER_SCENE = 0.8
"""Correlation below which they may be."""
SCENE_SECONDS = 0.5
"""Frames further apart may differ as much in one scene: they are not compared."""


class FaceFollower:
    """One stream: a FaceAnalyzer, which may be shared, and a FaceTracker of its own. Not for several threads at once.

    Faces are looked for where they are expected, new ones every SEARCH_SECONDS and small new ones every THOROUGH_SECONDS. A
    hard cut starts new people.

    Args:
        analyzer: its detector must be one that searches.
        camera: whether frames come as soon as those before are done, and not as often as somebody wants.
    """

    def __init__(self, analyzer: FaceAnalyzer, camera: bool = False):
        self.tracker = FaceTracker()
        self.analyzer = analyzer
        self._frames_between = THOROUGH_FRAMES if camera else 1
        self._searched = self._searched_thoroughly = -math.inf
        self._thorough_turn = -math.inf
        self._scene: np.ndarray | None = None
        self._scene_seconds = -math.inf
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
        cuts, places = self.find(image, seconds, width, age_gender)
        return self.name(self.analyzer.answer(cuts), places)

    def find(
        self, image: np.ndarray, seconds: float, width: float | None = None, age_gender: bool = False
    ) -> tuple[list[Cut], list[Placed]]:
        """The first part of `analyze`: who is where. The next frame may be given before this one is classified.

        Returns:
            What the networks are to see of everybody, and who they are, in the order of their places.
        """
        check_picture(image)
        scene = reduced(image)
        near = 0 <= seconds - self._scene_seconds <= SCENE_SECONDS
        likeness = float((scene * self._scene).sum()) if near else 1.0
        if likeness < OTHER_SCENE:
            self.tracker.forget()
            self._searched_thoroughly = self._thorough_turn = -math.inf
        scale = (width or image.shape[1]) / image.shape[1]
        expected = [detection.scaled(1 / scale) for _, detection in self.tracker.predict(seconds)]
        # Not within the time of a search, where the clock was set back.
        search = not 0 <= seconds - self._searched < SEARCH_SECONDS
        thorough = not 0 <= seconds - self._searched_thoroughly < THOROUGH_SECONDS
        thorough &= self._turn - self._thorough_turn >= self._frames_between
        detections = self.analyzer.detector.follow(image, expected, search, thorough, self._turn)
        if search or thorough:
            self._searched = seconds
        if thorough:
            self._searched_thoroughly, self._thorough_turn = seconds, self._turn
        self._scene, self._scene_seconds, self._turn = scene, seconds, self._turn + 1
        # So that those who are there at first are numbered as one reads.
        cuts = self.analyzer.cut(image, reading_order(detections), age_gender)
        if scale != 1:
            cuts = [cut._replace(detection=cut.detection.scaled(scale)) for cut in cuts]
        return cuts, self.tracker.place(cuts, seconds, doubted=likeness < PERHAPS_OTHER_SCENE)

    def name(self, faces: list[Face], placed: list[Placed]) -> list[TrackedFace]:
        """The last part of `analyze`, frame by frame in their order: what `FaceAnalyzer.answer` says of what was cut."""
        return sorted(self.tracker.average(faces, placed), key=lambda face: face.id)


def reduced(image: np.ndarray) -> np.ndarray:
    """A frame, uint8 (H, W, 3), as float32 (SCENE_SIDE, SCENE_SIDE, 3) of mean 0 in each channel and of length 1."""
    few = cv2.resize(image, (SCENE_SAMPLES, SCENE_SAMPLES), interpolation=cv2.INTER_NEAREST)
    small = cv2.resize(few, (SCENE_SIDE, SCENE_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= small.mean(axis=(0, 1))
    return small / (np.linalg.norm(small) + 1e-6)
