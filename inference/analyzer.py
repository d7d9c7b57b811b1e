"""Picture in, faces with their emotions out."""

import cv2
import numpy as np
import time

from inference.alignment import align_face
from inference.detector import FaceDetector
from inference.emotion import EmotionClassifier
from inference.types import Analysis, Face


class FaceAnalyzer:
    """Detect, align and classify; may be shared by threads.

    Args:
        detector: default: full range with tiles, for photographs.
        classifier: default: models/emotion.onnx.

    Raises:
        ModelError: a model file is missing or altered.
    """

    def __init__(self, detector: FaceDetector | None = None, classifier: EmotionClassifier | None = None):
        self.classifier = classifier or EmotionClassifier()
        self.detector = detector or FaceDetector("full_range", tiled=True)

    def analyze(self, image: np.ndarray) -> Analysis:
        """Find and classify all faces of a picture, with one detector pass and one ONNX Runtime call.

        Args:
            image: uint8 (H, W, 3), RGB, upright.

        Raises:
            ValueError: the array is not of that form.
        """
        started = time.perf_counter()
        detections = self.detector.detect(image)
        detected = time.perf_counter()
        crops = [
            cv2.cvtColor(align_face(image, detection, self.classifier.input_size), cv2.COLOR_RGB2GRAY)
            for detection in detections
        ]
        probabilities = self.classifier.predict(np.stack(crops)) if crops else []
        classified = time.perf_counter()
        return Analysis(
            width=image.shape[1],
            height=image.shape[0],
            faces=[Face(*parts) for parts in zip(detections, crops, probabilities)],
            provider=self.classifier.provider,
            detection_milliseconds=(detected - started) * 1e3,
            classification_milliseconds=(classified - detected) * 1e3,
        )
