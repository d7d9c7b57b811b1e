"""The vocabulary that every other module shares."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

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

AGE_COVERAGE = 0.8
"""How often the shown range of years holds the age: the age distribution is calibrated so that it does."""

WIDEST_AGE_RANGE = 20
"""Years; a range that spans more says so little that the answer is "not sure"."""

GENDER_SURE = 0.8
"""A gender whose probability is below this is "not sure"; `python -m training.evaluate` says how many faces that leaves
out and how often the rest is right."""

ADULT = 18
"""Years from which on the words are woman and man instead of girl and boy."""

MINOR_DOUBT = 0.04
"""A range of years lies wholly from ADULT up only where fewer years are less probable than this. Chosen on the validation
faces of `python -m benchmarks.age_bands`, so that of the minors fewer than one in twenty is shown such a range."""


def central_age(distribution: np.ndarray) -> np.ndarray:
    """The median of age distributions.

    Args:
        distribution: (..., AGES), summing to 1; a year k reaches from k to k + 1.

    Returns:
        (...,), years as ages are told, a part of a year between: 31.0 in the middle of the year in which one is 31.
    """
    before = distribution.cumsum(axis=-1) - distribution
    part = (0.5 - before) / np.maximum(distribution, 1e-9)
    return np.maximum(part.clip(0, 1).sum(axis=-1) - 0.5, 0)


def age_range(distribution: np.ndarray, coverage: float = AGE_COVERAGE) -> np.ndarray:
    """The central range of years of age distributions: the ages left out are equally likely to lie below and above it.

    Where it would lie wholly from ADULT up although a minor is not improbable (MINOR_DOUBT), it begins below.

    Args:
        distribution: (..., AGES), summing to 1.
        coverage: the probability inside the range, at least, 0 to 1.

    Returns:
        int (..., 2), first and last year, both included.
    """
    below = distribution.cumsum(axis=-1)
    tail = (1 - coverage) / 2
    first, last = ((below < level).sum(axis=-1) for level in (tail, 1 - tail))
    first = np.where(below[..., ADULT - 1] >= MINOR_DOUBT, np.minimum(first, ADULT - 1), first)
    return np.minimum(np.stack((first, last), axis=-1), AGES - 1)


CROWD_SHARE = 0.25
"""The crowd's part in the consensus. This and the two constants below were chosen on PublicTest by `python -m
benchmarks.shown_rule`, for the recall of the rare emotions and for calibration against both kinds of labels."""

CLASS_SHARES = (0.1392, 0.0152, 0.1427, 0.2513, 0.1682, 0.1105, 0.1729)
"""How frequent each of EMOTIONS is in FER-2013's Training split."""
PRIOR_CORRECTION = 0.5
"""0 shows a rare emotion only where it is the likeliest, which disgust hardly ever is; 1 as often as were all equally frequent."""

CONSENSUS_TEMPERATURE = 0.94
"""The temperature of the consensus: two calibrated answers have a mean that is too unsure."""


def consensus(probabilities: np.ndarray, crowd: np.ndarray | None) -> np.ndarray:
    """What people are shown: the mean of the network's two answers, over the seven classes, corrected for their frequency.

    Both answers see the same faces through other labels. The correction divides by a power of the classes' frequency in
    training (Menon et al. 2021, "Long-tail learning via logit adjustment", arXiv:2007.07314).

    Args:
        probabilities: (..., 7), in the order of EMOTIONS.
        crowd: (..., 8), in the order of CROWD, or None. Contempt is left out and the rest scaled to a sum of 1.

    Returns:
        (..., 7), summing to 1; without a crowd, the probabilities.
    """
    if crowd is None:
        return probabilities
    # A crowd that says nothing but contempt has no say, instead of a division by 0.
    named = crowd[..., COLUMNS_IN_CROWD] + 1e-12 * probabilities
    mean = (1 - CROWD_SHARE) * probabilities + CROWD_SHARE * named / named.sum(axis=-1, keepdims=True)
    shown = mean ** (1 / CONSENSUS_TEMPERATURE) * _CLASS_WEIGHTS.astype(mean.dtype)
    return shown / shown.sum(axis=-1, keepdims=True)


_CLASS_WEIGHTS = np.array(CLASS_SHARES) ** -PRIOR_CORRECTION


Point = tuple[float, float]
POINTS = ("left_eye", "right_eye", "nose", "mouth")
"""The attributes of a Detection that are points."""


@dataclass(frozen=True, slots=True)
class Detection:
    """Where a face is, in pixels of its picture (x to the right, y down).

    Attributes:
        box: (x1, y1, x2, y2), clipped to the picture.
        score: the detector's confidence, 0 to 1.
        left_eye, right_eye: (x, y) of the eye on the left and on the right of the face as it is seen upright; in a picture
            that lies on its side or upside down they are elsewhere.
        nose, mouth: (x, y) of the tip of the nose and of the middle of the mouth; None where they are not known.
        search: the model that the face was found by, "yunet" or "short_range".
        placed_at: longer side in pixels of the picture as YuNet saw it, where that told the box and the points; 0 where MediaPipe's
            look from near did. The same face is placed a little differently by each.
    """

    box: tuple[float, float, float, float]
    score: float
    left_eye: Point
    right_eye: Point
    nose: Point | None = None
    mouth: Point | None = None
    search: str = "short_range"
    placed_at: int = 0

    def scaled(self, factor: float) -> "Detection":
        """The same place in the picture scaled by a factor."""
        return self.mapped(lambda x, y: (factor * x, factor * y))

    def moved(self, x: float, y: float) -> "Detection":
        """The same place in a picture of which this one is a part that begins at (x, y)."""
        return self.mapped(lambda a, b: (a + x, b + y))

    def mapped(self, carry: Callable[[float, float], Point]) -> "Detection":
        """The same place in a picture into which `carry` takes each point (x, y), by shifts, scales and quarter turns."""
        x1, y1, x2, y2 = self.box
        (x1, y1), (x2, y2) = carry(x1, y1), carry(x2, y2)
        box = min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)
        nose, mouth = self.nose and carry(*self.nose), self.mouth and carry(*self.mouth)
        eyes = carry(*self.left_eye), carry(*self.right_eye)
        return Detection(box, self.score, *eyes, nose, mouth, self.search, self.placed_at)


ISSUES = ("too_small", "blurred", "overexposed", "turned_away", "cut_off")
"""What makes an answer much less often right, as `python -m benchmarks.quality` measures."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a face can be judged, see `inference.quality`.

    Attributes:
        side: of the face's box, in pixels of the picture.
        yaw, pitch, roll: in degrees; yaw is positive where the face turns to the right of the picture, pitch where it looks
            up, roll where the eye on the right is the lower one. Yaw and pitch are None where they are not known.
        sharpness: of the crop, about 1 for a sharp face and 0.5 for a blurred or enlarged one.
        brightness, contrast: mean and standard deviation of the middle of the crop, in grey values, 0 to 255.
        overexposed: the part of the middle of the crop that is white, 0 to 1.
        outside: the part of the face beyond the picture's edge, 0 to 1.
        issues: those of ISSUES that there are.
        certainty: what the logits of the network's answers were multiplied by, above 0 and up to 1.
    """

    side: float
    yaw: float | None
    pitch: float | None
    roll: float
    sharpness: float
    brightness: float
    contrast: float
    overexposed: float
    outside: float
    issues: tuple[str, ...]
    certainty: float

    def to_dict(self) -> dict:
        """Plain numbers, rounded, and the issues as a list, by the names of the attributes."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in values.items()}
        return rounded | {"issues": list(self.issues)}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
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
        quality: how well it can be judged; `probabilities` and `crowd` are tempered by it, so that they are right as often
            as they say whatever the face is like. None where it was not measured.
    """

    detection: Detection
    crop: np.ndarray
    probabilities: np.ndarray
    crowd: np.ndarray | None = None
    activation: np.ndarray | None = None
    age_distribution: np.ndarray | None = None
    gender: np.ndarray | None = None
    quality: Quality | None = None

    @property
    def emotion(self) -> str:
        """The leading one of `probabilities`, which is what the accuracy on FER-2013 counts."""
        return EMOTIONS[int(self.probabilities.argmax())]

    @property
    def consensus(self) -> np.ndarray:
        """float32 (7,), in the order of EMOTIONS: `probabilities` and `crowd` together, by the function of that name."""
        return consensus(self.probabilities, self.crowd)

    @property
    def shown(self) -> str:
        """The leading one of the consensus, which is what people are shown."""
        return EMOTIONS[int(self.consensus.argmax())]

    @property
    def sure(self) -> bool:
        """Whether `shown` is more likely right than wrong."""
        return bool(self.consensus.max() >= NOT_SURE)

    @property
    def issues(self) -> tuple[str, ...]:
        """Those of ISSUES that are known of this face."""
        return () if self.quality is None else self.quality.issues

    @property
    def issue_words(self) -> list[str]:
        """The issues as the command line names them: "turned away"."""
        return [issue.replace("_", " ") for issue in self.issues]

    @property
    def age(self) -> float | None:
        """The apparent age in years: the median of `age_distribution`."""
        return None if self.age_distribution is None else float(central_age(self.age_distribution))

    @property
    def age_range(self) -> tuple[int, int] | None:
        """First and last year of the range that holds the age at the rate AGE_COVERAGE."""
        if self.age_distribution is None:
            return None
        first, last = age_range(self.age_distribution).tolist()
        return first, last

    @property
    def age_sure(self) -> bool:
        """Whether the range is narrow enough to be an answer."""
        years = self.age_range
        return years is not None and years[1] - years[0] <= WIDEST_AGE_RANGE

    @property
    def apparent_gender(self) -> str | None:
        """The more probable one of GENDERS."""
        return None if self.gender is None else GENDERS[int(self.gender.argmax())]

    @property
    def gender_sure(self) -> bool:
        """Whether the more probable gender reaches GENDER_SURE."""
        return self.gender is not None and bool(self.gender.max() >= GENDER_SURE)

    @property
    def age_words(self) -> str | None:
        """The apparent age as people are shown it: "apparent age 31 to 39"."""
        if self.age_range is None:
            return None
        first, last = self.age_range
        years = str(first) if first == last else f"{first} to {last}"
        return f"apparent age {years}" if self.age_sure else f"apparent age: not sure, {years}"

    @property
    def gender_words(self) -> str | None:
        """The apparent gender as people are shown it: "apparent gender: woman 0.87"."""
        if self.gender is None:
            return None
        if not self.gender_sure:
            return "apparent gender: not sure"
        child = self.age is not None and self.age < ADULT
        word = (("girl", "boy") if child else ("woman", "man"))[int(self.gender.argmax())]
        return f"apparent gender: {word} {self.gender.max():.2f}"

    @property
    def apparent(self) -> list[str]:
        """`age_words` and `gender_words`, those that there are."""
        return [words for words in (self.age_words, self.gender_words) if words]

    @property
    def words(self) -> str:
        """What people are told of it: "happy 98% (not sure); turned away; apparent age 31 to 39"."""
        shown = f"{self.shown} {self.consensus.max():.0%}{'' if self.sure else ' (not sure)'}"
        return "; ".join([shown, *self.issue_words, *self.apparent])

    def __repr__(self) -> str:
        return f"Face({self.words}; box {' '.join(str(round(value)) for value in self.detection.box)})"

    def to_dict(self) -> dict:
        """Plain numbers and strings by the names of the attributes; distributions by label, the box in whole pixels.

        There is no `crowd` where the model has none, no `quality` where it was not measured, and nothing of age and gender
        where they were not asked for; the crop and the activation are left out.
        """
        entry = {
            "box": [round(value) for value in self.detection.box],
            "score": round(self.detection.score, 4),
            "search": self.detection.search,
            "emotion": self.emotion,
            "probabilities": _by_label(EMOTIONS, self.probabilities),
            "shown": self.shown,
            "sure": self.sure,
            "consensus": _by_label(EMOTIONS, self.consensus),
        }
        if self.crowd is not None:
            entry["crowd"] = _by_label(CROWD, self.crowd)
        if self.quality is not None:
            entry["quality"] = self.quality.to_dict()
        if self.age_distribution is not None and self.age is not None and self.age_range is not None:
            entry |= {"age": round(self.age, 1), "age_range": list(self.age_range), "age_sure": self.age_sure}
            entry["age_distribution"] = [round(float(value), 6) for value in self.age_distribution]
        if self.gender is not None:
            entry |= {"apparent_gender": self.apparent_gender, "gender_sure": self.gender_sure}
            entry["gender"] = _by_label(GENDERS, self.gender)
        return entry


def _by_label(labels: tuple[str, ...], values: np.ndarray) -> dict[str, float]:
    return {label: round(float(value), 6) for label, value in zip(labels, values)}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Analysis:
    """What was found in one picture.

    Attributes:
        width, height: of the picture, in pixels.
        faces: row by row from the top, each row from left to right.
        provider: the ONNX Runtime execution provider that classified, "CPUExecutionProvider" say.
        detection_milliseconds, classification_milliseconds: wall time; the second includes the crops.
        picture: gives the picture, uint8 (H, W, 3) RGB, by reading again what was analysed; None where it is not known. A path
            is all that is kept of a file, but arrays and PIL images are held.
        file: the path that was analysed; None where it was no path.
    """

    width: int
    height: int
    faces: list[Face]
    provider: str
    detection_milliseconds: float
    classification_milliseconds: float
    picture: Callable[[], np.ndarray] | None = None
    file: str | None = None

    def __repr__(self) -> str:
        """A line a face."""
        faces = [f"{number}: {face!r}" for number, face in enumerate(self.faces, 1)]
        head = f"{self.width} x {self.height} pixels, {len(faces) or 'no'} face{'s' * (len(faces) > 1)}"
        return "\n".join([f"{self.file}: {head}" if self.file else head, *faces])

    def to_frame(self):
        """The table of docs/data.md: a row a face, or one that says that there is none.

        Returns:
            A pandas.DataFrame where pandas is installed, else lists of the columns by name.
        """
        from .tables import COLUMNS, columns, photo_rows  # which know this class

        table = columns(photo_rows(self), self.file)
        try:
            import pandas
        except ImportError:
            return table
        types = {"text": "string", "yes or no": "boolean", "integer": "Int64", "number": "float64"}
        return pandas.DataFrame(
            {column.name: pandas.Series(table[column.name], dtype=types[column.type]) for column in COLUMNS}
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: the picture with its boxes, and seven bars for each face."""
        from .notebook import analysis_html  # which draws, and few need it

        return analysis_html(self)

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
