"""Copies of photos and videos: with boxes, or with every face blurred."""

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from .analyzer import FaceAnalyzer
from .blazeface import DetectorError
from .detector import FaceDetector
from .drawing import annotate, blur_boxes, blur_faces
from .images import load_image
from .outputs import Output, OutputError, create
from .sources import SUFFIXES, is_photo, printable
from .stream import Moment
from .types import Analysis, Face

ATTEMPTS = 5
"""A blurred picture is searched so often for faces that are left."""
QUALITY = 92
"""The JPEG quality of a photo's copy."""


@dataclass(frozen=True)
class Copies:
    """The copies that an option asks for.

    Attributes:
        kind: "annotated" or "blurred".
        place: a folder, or of one video FILE.mp4.
    """

    kind: str
    place: Path

    @property
    def option(self) -> str:
        """Which asks for them."""
        return {"annotated": "--annotate", "blurred": "--blur"}[self.kind]

    @property
    def comment(self) -> str:
        """Stands in every copy, which no other file is overwritten for."""
        return f"{self.kind.capitalize()} copy by python -m inference"

    @property
    def of_one_video(self) -> bool:
        """Whether the place is that of one copy, not a folder."""
        return self.place.suffix.lower() == ".mp4" and not self.place.is_dir()

    def outputs(self, files: list[tuple[Path, Path]]) -> list[Output]:
        """All files that may be written.

        Args:
            files: as in `sources.Found`.

        Raises:
            OutputError: the place is not one for these copies.
        """
        paths = [self.place]
        if not self.of_one_video:
            if self.place.suffix.lower() in (*SUFFIXES, ".csv", ".json", ".parquet") and not self.place.is_dir():
                raise OutputError("copies_name_file", option=self.option, path=self.place)
            paths = [self.path(name, suffix) for _, name in files for suffix in (".jpg", ".mp4")]
        elif len(files) > 1 or any(is_photo(path) for path, _ in files):
            raise OutputError("copies_several", option=self.option)
        return [Output(self.option, path, lambda head: self.comment.encode() in head) for path in paths]

    def path(self, name: Path, suffix: str) -> Path:
        """Where the copy of a file goes."""
        return self.place if self.of_one_video else self.place / f"{name}{suffix}"

    def photo(self, image: np.ndarray, result: Analysis, analyzer: FaceAnalyzer) -> bytes | None:
        """A photo's copy, a JPEG file; None where the place is a video's."""
        if self.of_one_video:
            return None
        if self.kind == "annotated":
            return self._jpeg(annotate(image, result.faces))
        return self._jpeg(blur_all(image, result.faces, analyzer.detector, lambda copy: load_image(self._jpeg(copy))))

    def frame(self, image: np.ndarray, moment: Moment, analyzer: FaceAnalyzer) -> np.ndarray:
        """A frame's copy, uint8 (H, W, 3), RGB."""
        if self.kind == "annotated":
            return annotate(image, moment.faces, moment.ids)
        return blur_all(image, [person.measured for person in moment.people], analyzer.detector)

    def write(self, name: Path, copy: bytes | None) -> str | None:
        """Put a photo's copy in its place; gives a sentence where there is none.

        Raises:
            OSError: there is no room for it.
        """
        if copy is None:
            return f"no {self.kind} copy: this is a photo, and {printable(self.place)} names a video."
        path = self.path(name, ".jpg")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            create(path, copy).close()
        except OSError as error:
            return self.problem(path, error)
        return None

    def problem(self, path: Path, error: OSError) -> str:
        """A sentence on a name that the disk does not take, which is a problem of that file alone.

        Raises:
            OSError: the disk takes nothing more.
        """
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise error
        return f"no {self.kind} copy: {printable(path)} cannot be written ({error.strerror})."

    def _jpeg(self, image: np.ndarray) -> bytes:
        file = BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=QUALITY, comment=self.comment)
        return file.getvalue()


def blur_all(
    image: np.ndarray, faces: Sequence[Face], detector: FaceDetector, as_written=lambda copy: copy
) -> np.ndarray:
    """Blur faces and everything else that the detector takes for a face then, until it finds none any more.

    Where that does not end, or the detector fails, all of the picture becomes one color.

    Args:
        image: uint8 (H, W, 3), RGB; left as it is.
        faces: those that are known.
        as_written: what becomes of a copy when it is stored, in which the faces are searched.

    Returns:
        A new uint8 (H, W, 3), RGB.
    """
    copy = blur_faces(image, faces)
    for _ in range(ATTEMPTS):
        try:
            left = detector.detect(as_written(copy))
        except DetectorError:
            break
        if not left:
            return copy
        blur_boxes(copy, [face.box for face in left])
    copy[:] = copy.mean(axis=(0, 1)).astype(np.uint8)
    return copy
