"""The vocabulary that every other module shares."""

import numpy as np
from dataclasses import dataclass

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The seven classes of FER-2013, in its label order (0 to 6)."""

CROWD = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
"""The emotions of FERPlus (Barsoum et al. 2016, arXiv:1608.01041), in the order of its columns."""

COLUMNS_IN_CROWD = tuple(
    CROWD.index(name) for name in ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
)
"""Where each of EMOTIONS stands in CROWD; FER-2013 has no contempt."""

GENDERS = ("female", "male")
"""The two answers of the age and gender model, in its order."""

AGES = 101
"""Bins of an age distribution, a year each: 0 to 100, the last for all above."""

NOT_SURE = 0.5
"""A consensus whose largest value is below this is more likely wrong than right, as it is calibrated."""


def consensus(probabilities: np.ndarray, crowd: np.ndarray | None) -> np.ndarray:
    """The mean of the network's two answers, over the seven classes; both see the same faces through other labels.

    Args:
        probabilities: (..., 7), in the order of EMOTIONS.
        crowd: (..., 8), in the order of CROWD, or None. Contempt is left out and the rest scaled to a sum of 1.

    Returns:
        (..., 7), summing to 1; without a crowd, the probabilities.
    """
    if crowd is None:
        return probabilities
    # Added for a crowd that says nothing but contempt: it then has no say, instead of a division by 0.
    named = crowd[..., COLUMNS_IN_CROWD] + 1e-12
    return (probabilities + named / named.sum(axis=-1, keepdims=True)) / 2


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

    def scaled(self, factor: float) -> "Detection":
        """The same place in the picture scaled by a factor."""
        box, left_eye, right_eye = (
            tuple(factor * value for value in place) for place in (self.box, self.left_eye, self.right_eye)
        )
        return Detection(box, self.score, left_eye, right_eye)


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face of a picture and what the networks say of it.

    Attributes:
        detection: where it is.
        crop: uint8 (S, S), the grey face that the emotion network saw.
        probabilities: float32 (7,), in the order of EMOTIONS, summing to 1: what FER-2013's label would be.
        crowd: float32 (8,), in the order of CROWD, summing to 1: how ten people's answers would be distributed. None
            where the model does not say.
        activation: float32 (h, w, 7), the logits of `probabilities` before their mean over places of the crop is taken,
            see `inference.saliency`. None where the model does not say.
        age_distribution: float32 (AGES,), the calibrated probability of each year of apparent age, summing to 1. None
            where age and gender were not asked for.
        gender: float32 (2,), in the order of GENDERS, summing to 1. None where it was not asked for.
    """

    detection: Detection
    crop: np.ndarray
    probabilities: np.ndarray
    crowd: np.ndarray | None = None
    activation: np.ndarray | None = None
    age_distribution: np.ndarray | None = None
    gender: np.ndarray | None = None

    @property
    def emotion(self) -> str:
        """The leading one of `probabilities`, which is what the accuracy on FER-2013 counts."""
        return EMOTIONS[int(self.probabilities.argmax())]

    @property
    def consensus(self) -> np.ndarray:
        """float32 (7,), in the order of EMOTIONS: `probabilities` and `crowd` averaged."""
        return consensus(self.probabilities, self.crowd)

    @property
    def shown(self) -> str:
        """The leading one of the consensus, which is what people are shown."""
        return EMOTIONS[int(self.consensus.argmax())]

    @property
    def sure(self) -> bool:
        """Whether `shown` is more likely right than wrong."""
        return bool(self.consensus.max() >= NOT_SURE)

    def to_dict(self) -> dict:
        """Plain numbers and strings by the names of the attributes; distributions by label, the box in whole pixels.

        There is no `crowd` where the model has none; the crop and the activation are left out.
        """
        fields = {
            "box": [round(value) for value in self.detection.box],
            "score": round(self.detection.score, 4),
            "emotion": self.emotion,
            "probabilities": _by_label(EMOTIONS, self.probabilities),
            "shown": self.shown,
            "sure": self.sure,
            "consensus": _by_label(EMOTIONS, self.consensus),
        }
        return fields if self.crowd is None else fields | {"crowd": _by_label(CROWD, self.crowd)}


def _by_label(labels: tuple[str, ...], values: np.ndarray) -> dict[str, float]:
    return {label: round(float(value), 6) for label, value in zip(labels, values)}


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
