"""Picture in, faces with their emotions, and on request their apparent age and gender, out."""

import cv2
import numpy as np
import os
import time
from PIL import Image

from .age_gender import AgeGenderEstimator, find_estimator
from .alignment import align_face
from .detector import FaceDetector
from .emotion import EmotionClassifier
from .inputs import to_rgb
from .quality import measure, tempered
from .types import Analysis, Detection, Face


class FaceAnalyzer:
    """Detect, align and classify; may be shared by threads.

    Args:
        detector: default: one that searches.
        classifier: default: models/emotion.onnx.
        estimator: default: models/age_gender.onnx where that is present; without one, age and gender stay unsaid.

    Raises:
        ModelError: a model file is missing or altered.
    """

    def __init__(
        self,
        detector: FaceDetector | None = None,
        classifier: EmotionClassifier | None = None,
        estimator: AgeGenderEstimator | None = None,
    ):
        self.classifier = classifier or EmotionClassifier()
        self.estimator = estimator or find_estimator()
        self.detector = detector or FaceDetector()

    def analyze(
        self,
        image: str | os.PathLike | bytes | Image.Image | np.ndarray,
        age_gender: bool = False,
        bgr: bool = False,
    ) -> Analysis:
        """Find and classify all faces of a picture, with one detector pass and one ONNX Runtime call for each model.

        Args:
            image: a path, a file's bytes, a PIL image, or an upright array, uint8 (H, W, 3) RGB (or RGBA, or grey).
            age_gender: estimate age and gender too.
            bgr: the array is OpenCV's, which has blue first: `analyze(cv2.imread("photo.jpg"), bgr=True)`. It cannot be seen
                from the values, and without it the answers are worse.

        Raises:
            ImageError: the file cannot be read.
            TypeError, ValueError: it is no such picture; the message says what it is.
            DetectorError: MediaPipe failed on this picture.
        """
        image = to_rgb(image, bgr)
        started = time.perf_counter()
        detections = reading_order(self.detector.detect(image))
        detected = time.perf_counter()
        faces = self.classify(image, detections, age_gender)
        classified = time.perf_counter()
        return Analysis(
            width=image.shape[1],
            height=image.shape[0],
            faces=faces,
            provider=self.classifier.session.provider,
            detection_milliseconds=(detected - started) * 1e3,
            classification_milliseconds=(classified - detected) * 1e3,
        )

    def classify(self, image: np.ndarray, detections: list[Detection], age_gender: bool = False) -> list[Face]:
        """Classify faces that were found already, with one ONNX Runtime call for each model.

        Args:
            image: uint8 (H, W, 3), RGB, upright.
            detections: where its faces are.
            age_gender: estimate age and gender too.

        Returns:
            A face for each detection, in the same order.
        """
        if not detections:
            return []
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        crops = [align_face(grey, detection, self.classifier.input_size) for detection in detections]
        answers = self.classifier.answers(np.stack(crops))
        qualities = [measure(detection, crop, image.shape) for detection, crop in zip(detections, crops)]
        certainties = np.array([quality.certainty for quality in qualities], np.float32)
        answers |= {
            name: tempered(answers[name], certainties) for name in ("probabilities", "crowd") if name in answers
        }
        if age_gender and self.estimator:
            portraits = [self.estimator.crop(image, detection) for detection in detections]
            estimates = self.estimator.answers(np.stack(portraits))
            answers |= {name: estimates[name] for name in ("age_distribution", "gender")}
        return [
            Face(detection, crop, quality=quality, **{name: values[number] for name, values in answers.items()})
            for number, (detection, crop, quality) in enumerate(zip(detections, crops, qualities))
        ]


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
