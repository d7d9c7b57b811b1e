"""Streams of moving real faces with a known path, made from the example photograph, for a browser's fake camera."""

import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from inference.images import load_image

PHOTO = Path(__file__).resolve().parent.parent / "examples" / "astronaut.jpg"
FACE_X, FACE_Y, FACE_SIDE = 221.4, 120.6, 102.0
"""The face in the photograph: centre and side of its detection, in pixels."""
RATE = 30
"""Frames of the camera in a second."""
PERIOD = 90
"""Frames after which the movement begins anew."""
GRIDS = {1: (1, 1), 2: (2, 1), 6: (3, 2)}
"""Columns and rows in which so many faces stand, one in each place; every second one is mirrored."""


def place_of(number: float, face: int, faces: int, width: int = 640, height: int = 480) -> tuple[float, float, float]:
    """Centre (x, y) and side in pixels of a face, counted from 0, in frame `number`: an ellipse around its place."""
    columns, rows = GRIDS[faces]
    wide, high = width / columns, height / rows
    angle = 2 * math.pi * (number / PERIOD + face / faces)
    row, column = divmod(face, columns)
    x = (column + 0.5 + 0.15 * math.sin(angle)) * wide
    return x, (row + 0.5 + 0.08 * math.cos(angle)) * high, 0.42 * min(wide, high)


def moving_faces(faces: int, width: int = 640, height: int = 480) -> Iterator[np.ndarray]:
    """PERIOD frames, uint8 (height, width, 3), RGB, in which each face moves as `place_of` says."""
    photo = load_image(PHOTO)
    mirrored = np.ascontiguousarray(photo[:, ::-1])
    columns, rows = GRIDS[faces]
    wide, high = width // columns, height // rows
    for number in range(PERIOD):
        frame = np.zeros((height, width, 3), np.uint8)
        for face in range(faces):
            x, y, side = place_of(number, face, faces, width, height)
            row, column = divmod(face, columns)
            left, top, scale = column * wide, row * high, side / FACE_SIDE
            source, face_x = (mirrored, photo.shape[1] - FACE_X) if face % 2 else (photo, FACE_X)
            move = np.array([[scale, 0, x - left - scale * face_x], [0, scale, y - top - scale * FACE_Y]], np.float32)
            cell = cv2.warpAffine(source, move, (wide, high), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
            frame[top : top + high, left : left + wide] = cell
        yield frame


def write_video(path: Path, frames: Iterator[np.ndarray]) -> None:
    """Frames as a file for Chromium's --use-file-for-fake-video-capture: y4m, which it need not decode, or mjpeg."""
    with open(path, "wb") as file:
        for number, frame in enumerate(frames):
            if path.suffix == ".mjpeg":
                file.write(jpeg(frame, 95))
                continue
            if number == 0:
                file.write(f"YUV4MPEG2 W{frame.shape[1]} H{frame.shape[0]} F{RATE}:1 Ip A1:1 C420jpeg\n".encode())
            file.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420).tobytes())


def jpeg(frame: np.ndarray, quality: int = 70) -> bytes:
    """A frame as JPEG; at the default quality it is what the page would send."""
    return cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def camera_arguments(video: Path) -> list[str]:
    """Chromium's arguments for a camera that shows a video, allowed without asking."""
    return [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={video}",
    ]
