"""Faces in photos and videos: where they are, seven emotion probabilities, apparent age and gender, and satisfaction over time.

    import ifade

    result = ifade.analyze("photo.jpg")        # a path, a PIL image or an array; one line a face, in a notebook a picture
    result.faces[0].shown, result.faces[0].consensus
    ifade.analyze_many(["a.jpg", "b.jpg"])     # the faces of all pictures in one run of each network
    ifade.annotate("photo.jpg", result.faces)  # an array with boxes; blur_faces(...) one in which nobody is known

The code is under the Apache License 2.0, the weights are not all free: emotion.onnx, emotion_int8.onnx, age_gender.onnx and
face_check.onnx were trained with pictures of UTKFace, which is available for NON-COMMERCIAL RESEARCH only. NOTICE in the
folder of the models has the terms of each file. Expressions are not feelings, and apparent age and gender are guesses: where
people are judged by them, as at work or at school, the law may forbid it (EU: Regulation 2024/1689, article 5).
"""

import importlib
import os
from typing import TYPE_CHECKING

# Before onnxruntime is imported, which else writes a device's number into the home folder and sends usage data.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

if TYPE_CHECKING:
    from .analyzer import FaceAnalyzer, analyze, analyze_many
    from .blazeface import DetectorError
    from .detector import FaceDetector
    from .drawing import annotate, blur_faces
    from .follow import FaceFollower
    from .images import ImageError, load_image
    from .model_files import ModelError
    from .sentences import IfadeError
    from .types import EMOTIONS, Analysis, Detection, Face
    from .video import VideoError, VideoReader

# Each is imported when it is first asked for: all of them take seconds, and most programs need few.
_MODULES = {
    "analyzer": ("FaceAnalyzer", "analyze", "analyze_many"),
    "blazeface": ("DetectorError",),
    "detector": ("FaceDetector",),
    "drawing": ("annotate", "blur_faces"),
    "follow": ("FaceFollower",),
    "images": ("ImageError", "load_image"),
    "model_files": ("ModelError",),
    "sentences": ("IfadeError",),
    "types": ("EMOTIONS", "Analysis", "Detection", "Face"),
    "video": ("VideoError", "VideoReader"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "EMOTIONS",
    "Analysis",
    "Detection",
    "DetectorError",
    "Face",
    "FaceAnalyzer",
    "FaceDetector",
    "FaceFollower",
    "IfadeError",
    "ImageError",
    "ModelError",
    "VideoError",
    "VideoReader",
    "analyze",
    "analyze_many",
    "annotate",
    "blur_faces",
    "load_image",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("ifade")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
