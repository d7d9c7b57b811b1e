"""Write what the page's modules in the browser have to answer: pictures and frames, and what inference/ says of them.

    python -m export.conformance DIR

DIR gets PNG files and pictures.json: `constants` of inference/ by module, `pictures` with their detections, crops (base64) and
answers, and `frames` of a stream with who is in them. They are made from examples/. time.json is that of `export.conformance_time`.
"""

import argparse
import base64
import json
import sys
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np

from export.conformance_time import write_time
from inference.analyzer import FaceAnalyzer
from inference.constants import constants
from inference.emotion import LIVE_MODEL, EmotionClassifier
from inference.follow import FaceFollower
from inference.images import load_image
from inference.model_files import MODELS
from inference.types import Face

EXAMPLES = MODELS.parent / "examples"
FRAME_SIZE = (640, 480)
FRAMES_A_SECOND = 10
FRAMES_A_SCENE = 12
CAMERA_WIDTH = 1280
"""The frames are taken for a camera's that were scaled down."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m export.conformance", description="Write what the page's modules in the browser have to answer."
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    write_pictures(args.folder)
    write_time(args.folder)
    return 0


def write_pictures(folder: Path) -> None:
    """Write pictures.json and the PNG files that it names."""
    analyzer = FaceAnalyzer(provider="cpu")
    told = []
    for name, image in pictures().items():
        _write(folder / f"{name}.png", image)
        faces = analyzer.analyze(image, age_gender=True).faces
        told.append(
            {
                "file": f"{name}.png",
                "detections": [asdict(face.detection) for face in faces],
                "crops": [_coded(face.crop) for face in faces],
                "portraits": [_coded(analyzer.estimator.crop(image, face.detection)) for face in faces],
                "faces": [face.to_dict() for face in faces],
            }
        )
    live = FaceAnalyzer(analyzer.detector, EmotionClassifier(LIVE_MODEL, cuda=False), analyzer.estimator)
    follower, seen = FaceFollower(live), []
    for number, image in enumerate(frames()):
        _write(folder / f"frame_{number}.png", image)
        seconds, age_gender = number / FRAMES_A_SECOND, number % 2 == 0
        people = follower.analyze(image, seconds, CAMERA_WIDTH, age_gender)
        seen.append(
            {
                "file": f"frame_{number}.png",
                "seconds": seconds,
                "width": CAMERA_WIDTH,
                "age_gender": age_gender,
                "people": [
                    {"id": person.id, "measured": _told(person.measured), "smoothed": _told(person.smoothed)}
                    for person in people
                ],
            }
        )
    content = {"constants": constants(), "pictures": told, "frames": seen}
    (folder / "pictures.json").write_text(json.dumps(content))


def pictures() -> dict[str, np.ndarray]:
    """Pictures by name, uint8 (H, W, 3), RGB."""
    photos = {path.stem: load_image(path) for path in sorted(EXAMPLES.glob("*.jpg"))}
    grey = cv2.cvtColor(photos["angry"], cv2.COLOR_RGB2GRAY)
    return {
        "astronaut": photos["astronaut"],
        "happy": photos["happy"],
        "meeting": photos["meeting"],
        "cat": photos["cat"],
        "before_cat": _before(photos["cat"], photos["astronaut"]),
        "lying": np.rot90(_scaled(photos["meeting"], 0.6)),
        "upside_down": np.rot90(photos["neutral"], 2),
        "tilted": _tilted(photos["sad"], 35),
        "crowd": _scaled(photos["solvay_1927"], 0.4),
        "large": _scaled(photos["meeting"], 2.2),  # in tiles, of a picture that is scaled down to be searched
        "tiny": _scaled(photos["neutral"], 0.07),
        "grey": np.dstack([grey] * 3),
        "cut_off": photos["astronaut"][:, 195:],
        "nothing": np.random.default_rng(0).integers(0, 256, (120, 200, 3), np.uint8),
    }


def frames() -> list[np.ndarray]:
    """Frames of a stream: a pan over several people, and after a hard cut a face that comes nearer."""
    width, height = FRAME_SIZE
    meeting, face = _scaled(load_image(EXAMPLES / "meeting.jpg"), 0.8), load_image(EXAMPLES / "astronaut.jpg")
    pan = [meeting[80 : 80 + height, 12 * step : 12 * step + width] for step in range(FRAMES_A_SCENE)]
    nearer = []
    for step in range(FRAMES_A_SCENE):
        side = 400 - 12 * step
        part = face[:side, 60 : 60 + side]
        nearer.append(cv2.resize(part, (height, height), interpolation=cv2.INTER_LINEAR))
    return [np.ascontiguousarray(frame) for frame in (*pan, *nearer)]


def _before(cat: np.ndarray, person: np.ndarray) -> np.ndarray:
    """A small face in front of a cat's that the search takes for a sure one."""
    scene = cv2.resize(cat, (640, 426), interpolation=cv2.INTER_LINEAR)
    scene[60:104, 420:460] = cv2.resize(person[18:207, 136:308], (40, 44), interpolation=cv2.INTER_AREA)
    return scene


def _scaled(image: np.ndarray, factor: float) -> np.ndarray:
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def _tilted(image: np.ndarray, degrees: float) -> np.ndarray:
    height, width = image.shape[:2]
    return cv2.warpAffine(image, cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1), (width, height))


def _told(face: Face) -> dict:
    return face.to_dict() | {"detection": asdict(face.detection)}


def _coded(pixels: np.ndarray) -> str:
    return base64.b64encode(pixels.tobytes()).decode()


def _write(path: Path, image: np.ndarray) -> None:
    if not cv2.imwrite(str(path), np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_PNG_COMPRESSION, 1]):
        raise OSError(f"{path} could not be written")


if __name__ == "__main__":
    sys.exit(main())
