"""The vocabulary that every other module shares."""

import numpy as np
from dataclasses import dataclass

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The seven classes of FER-2013, in its label order (0 to 6)."""

CROWD = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
"""The emotions of FERPlus (Barsoum et al. 2016, arXiv:1608.01041), in the order of its columns."""


@dataclass(frozen=True, slots=True)
class Detection:
    """Where a face is, in pixels of its picture (x to the right, y down).

    Attributes:
        box: (x1, y1, x2, y2), clipped to the picture.
        score: the detector's confidence, 0 to 1.
        left_eye, right_eye: (x, y) of the eye on the left and on the right of the picture.
    """

    box: tuple[float, float, float, float]
    score: float
    left_eye: tuple[float, float]
    right_eye: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face of a picture and what the networks say of it.

    Attributes:
        detection: where it is.
        crop: uint8 (S, S), the grey face that the emotion network saw.
        probabilities: float32 (7,), in the order of EMOTIONS, summing to 1.
    """

    detection: Detection
    crop: np.ndarray
    probabilities: np.ndarray

    @property
    def emotion(self) -> str:
        """The most probable of EMOTIONS."""
        return EMOTIONS[int(self.probabilities.argmax())]

    def to_dict(self) -> dict:
        """Plain numbers and strings: box (whole pixels), score, emotion, probabilities by label."""
        return {
            "box": [round(value) for value in self.detection.box],
            "score": round(self.detection.score, 4),
            "emotion": self.emotion,
            "probabilities": {label: round(float(p), 6) for label, p in zip(EMOTIONS, self.probabilities)},
        }


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What was found in one picture.

    Attributes:
        width, height: of the picture, in pixels.
        faces: row by row from the top, each row from left to right.
        provider: the ONNX Runtime execution provider that classified, "CPUExecutionProvider" say.
        detection_milliseconds, classification_milliseconds: wall time; the second includes the crops.
    """

    width: int
    height: int
    faces: list[Face]
    provider: str
    detection_milliseconds: float
    classification_milliseconds: float

    def to_dict(self) -> dict:
        """The answer of the API and the command line as JSON types; `milliseconds` is detection plus classification."""
        return {
            "width": self.width,
            "height": self.height,
            "faces": [face.to_dict() for face in self.faces],
            "provider": self.provider,
            "milliseconds": round(self.detection_milliseconds + self.classification_milliseconds, 2),
            "detection_milliseconds": round(self.detection_milliseconds, 2),
            "classification_milliseconds": round(self.classification_milliseconds, 2),
        }
