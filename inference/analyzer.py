"""Picture in, faces with their emotions, and on request their apparent age and gender, out."""

import functools
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .age_gender import AgeGenderEstimator, find_estimator
from .alignment import align_face
from .detector import FaceDetector
from .emotion import EmotionClassifier
from .images import Photograph
from .inputs import Picture, to_photograph, to_rgb
from .quality import measure, tempered
from .types import Analysis, Detection, Face, Quality

PROVIDERS = ("cpu", "cuda")


class FaceAnalyzer:
    """Detect, align and classify; may be shared by threads.

    Args:
        detector: default: one that searches.
        classifier: default: models/emotion.onnx.
        estimator: default: models/age_gender.onnx where that is present; without one, age and gender stay unsaid.
        threads: CPU threads for one run of a network; default: the processors this process may use.
        provider: "cpu", or "cuda" where nothing else will do; default: CUDA where it works, else the CPU. This and `threads`
            are for those of the three above that are not given.

    Raises:
        ModelError: a model file is missing or altered.
        ValueError: there is no such provider.
        RuntimeError: CUDA is demanded and cannot be used; the message says why.
    """

    def __init__(
        self,
        detector: FaceDetector | None = None,
        classifier: EmotionClassifier | None = None,
        estimator: AgeGenderEstimator | None = None,
        *,
        threads: int | None = None,
        provider: str | None = None,
    ):
        if provider is not None and provider not in PROVIDERS:
            raise ValueError(f"provider must be one of {', '.join(PROVIDERS)} or None, not {provider!r}")
        cuda = provider != "cpu"
        self.classifier = classifier or EmotionClassifier(threads=threads, cuda=cuda)
        if provider == "cuda" and self.classifier.session.cuda_problem:
            raise RuntimeError(f"CUDA is demanded and cannot be used: {self.classifier.session.cuda_problem}.")
        self.estimator = estimator or find_estimator(threads, cuda)
        self.detector = detector or FaceDetector(threads=threads, cuda=cuda)

    def analyze(self, image: Picture, age_gender: bool = False, bgr: bool = False) -> Analysis:
        """Find and classify all faces of a picture, with one detector pass and one ONNX Runtime call for each model.

        Args:
            image: a path, a file's bytes, a PIL image, or an upright array, uint8 (H, W, 3) RGB (or RGBA, or grey). A JPEG file of 12
                megapixels or more is decoded reduced, and whole only where faces are small.
            age_gender: estimate age and gender too.
            bgr: the array is OpenCV's, which has blue first: `analyze(cv2.imread("photo.jpg"), bgr=True)`. It cannot be seen
                from the values, and without it the answers are worse.

        Raises:
            ImageError: the file cannot be read.
            TypeError, ValueError: it is no such picture; the message says what it is.
            DetectorError: MediaPipe failed on this picture.
        """
        return self.analyze_many([image], age_gender, bgr)[0]

    def analyze_many(self, images: Iterable[Picture], age_gender: bool = False, bgr: bool = False) -> list[Analysis]:
        """The same for a batch of pictures, whose faces are classified together, in one ONNX Runtime call for each model.

        Pictures are read one after the other, and of those that are paths no more is kept than their faces.

        Args:
            images: each as for `analyze`.
            age_gender, bgr: as for `analyze`.

        Returns:
            An analysis for each picture, in the same order. Its classification takes as long as its share of the faces.

        Raises:
            As `analyze`, for the first picture that fails.
        """
        pictures, crops = [], []
        for image in images:
            photo = to_photograph(image, bgr)
            started = time.perf_counter()
            detections = reading_order(self.detector.detect(photo))
            detected = time.perf_counter()
            crops.append(self.cut(photo, detections, age_gender))
            cut = time.perf_counter()
            pictures.append((image, (photo.width, photo.height), detected - started, cut - detected))
        started = time.perf_counter()
        faces = self.answer([face for cut in crops for face in cut])
        seconds = (time.perf_counter() - started) / max(len(faces), 1)
        results, provider = [], self.classifier.session.provider
        for (image, (width, height), detecting, cutting), own in zip(pictures, crops):
            results.append(
                Analysis(
                    width=width,
                    height=height,
                    faces=[faces.pop(0) for _ in own],
                    provider=provider,
                    detection_milliseconds=detecting * 1e3,
                    classification_milliseconds=(cutting + seconds * len(own)) * 1e3,
                    picture=_Source(image, bgr),
                    file=os.fsdecode(image) if isinstance(image, str | os.PathLike) else None,
                )
            )
        return results

    def classify(self, image: np.ndarray, detections: list[Detection], age_gender: bool = False) -> list[Face]:
        """Classify faces that were found already, with one ONNX Runtime call for each model.

        Args:
            image: uint8 (H, W, 3), RGB, upright.
            detections: where its faces are.
            age_gender: estimate age and gender too.

        Returns:
            A face for each detection, in the same order.
        """
        return self.answer(self.cut(image, detections, age_gender))

    def cut(
        self, picture: np.ndarray | Photograph, detections: list[Detection], age_gender: bool = False
    ) -> list["Cut"]:
        """The first half of `classify`: what the networks are to see of each face."""
        photo = Photograph.of(picture)
        image, times = photo.best()
        estimator, cuts = self.estimator if age_gender else None, []
        for detection in detections:
            seen = detection if times == 1 else detection.scaled(1 / times)
            crop = align_face(image, seen, self.classifier.input_size, grey=True)
            portrait = estimator.crop(image, seen) if estimator else None
            cuts.append(Cut(detection, crop, measure(detection, crop, (photo.height, photo.width)), portrait))
        return cuts

    def answer(self, cuts: list["Cut"]) -> list[Face]:
        """The other half: a face for each of them, of one picture or of several."""
        if not cuts:
            return []
        predictions = self.classifier.predict(np.stack([cut.crop for cut in cuts]))
        certainties = np.array([cut.quality.certainty for cut in cuts], np.float32)
        predictions |= {
            name: tempered(predictions[name], certainties) for name in ("probabilities", "crowd") if name in predictions
        }
        portraits = [cut.portrait for cut in cuts if cut.portrait is not None]
        if self.estimator and portraits:
            estimates = self.estimator.predict(np.stack(portraits))
            predictions |= {name: estimates[name] for name in ("age_distribution", "gender")}
        return [
            Face(
                cut.detection,
                cut.crop,
                quality=cut.quality,
                **{name: values[number] for name, values in predictions.items()},
            )
            for number, cut in enumerate(cuts)
        ]


@dataclass(frozen=True)
class _Source:
    """A picture as it was given, for who wants to see it again."""

    image: Picture
    bgr: bool

    def __call__(self) -> np.ndarray:
        return to_rgb(self.image, self.bgr)

    def __reduce__(self):
        """Into another process a path goes along, but not a whole picture."""
        return (_Source, (self.image, self.bgr)) if isinstance(self.image, str | os.PathLike) else (type(None), ())


class Cut(NamedTuple):
    """A face as the networks see it, and where it was found."""

    detection: Detection
    crop: np.ndarray
    quality: Quality
    portrait: np.ndarray | None


@functools.cache
def shared_analyzer() -> FaceAnalyzer:
    """The one that the functions below use, made when it is first needed."""
    return FaceAnalyzer()


def analyze(image: Picture, *, bgr: bool = False, age_gender: bool = False) -> Analysis:
    """`FaceAnalyzer.analyze` of an analyzer that this process shares."""
    return shared_analyzer().analyze(image, age_gender, bgr)


def analyze_many(images: Iterable[Picture], *, bgr: bool = False, age_gender: bool = False) -> list[Analysis]:
    """`FaceAnalyzer.analyze_many` of an analyzer that this process shares."""
    return shared_analyzer().analyze_many(images, age_gender, bgr)


def reading_order(detections: list[Detection]) -> list[Detection]:
    """Row by row from the top, each row from left to right; a row is as deep as half the median face is high."""
    if not detections:
        return []

    def middle(detection: Detection) -> tuple[float, float]:
        x1, y1, x2, y2 = detection.box
        return (x1 + x2) / 2, (y1 + y2) / 2

    depth = float(np.median([detection.box[3] - detection.box[1] for detection in detections])) / 2
    rows: list[list[Detection]] = []
    for detection in sorted(detections, key=lambda detection: middle(detection)[1]):
        if rows and middle(detection)[1] - middle(rows[-1][-1])[1] < depth:
            rows[-1].append(detection)
        else:
            rows.append([detection])
    return [detection for row in rows for detection in sorted(row, key=middle)]
