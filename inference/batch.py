"""Arrow in, Arrow out: photos of a table analysed, for Ray Data, Daft, Spark and whatever else speaks Arrow.

    analyze = AnalyzePhotos(image="bytes")
    table = analyze(table)   # a row a photo, with a list of faces

docs/batch.md has the recipes. Needs pyarrow.
"""

import functools
from typing import TypeVar

import cv2
import pyarrow

from .analyzer import FaceAnalyzer
from .blazeface import DetectorError
from .images import ImageError
from .tables import INDEX, SMOOTHED, arrow_schema, columns, photo_rows

Batch = TypeVar("Batch", pyarrow.Table, pyarrow.RecordBatch)

OF_THE_PHOTO = ("file", "seconds", "faces", "face", "person", "error")
OVER_TIME = ("smoothed_shown", "smoothed_sure", *SMOOTHED, *INDEX)

FACE = pyarrow.struct([field for field in arrow_schema() if field.name not in (*OF_THE_PHOTO, *OVER_TIME)])
"""A face: what `tables.COLUMNS` have of it."""

RESULT = pyarrow.schema(
    [
        pyarrow.field("width", pyarrow.int32(), metadata={"unit": "pixels", "meaning": "of the photo"}),
        pyarrow.field("height", pyarrow.int32(), metadata={"unit": "pixels", "meaning": "of the photo"}),
        pyarrow.field(
            "faces", pyarrow.list_(FACE), metadata={"meaning": "row by row from the top, from left to right"}
        ),
        pyarrow.field(
            "error", pyarrow.string(), metadata={"meaning": "why there is no answer; the rest is empty then"}
        ),
    ]
)
"""What is added to each row."""


class AnalyzePhotos:
    """A function of Arrow tables, or batches of rows, with a photo in each row. It may be sent to other processes, of which each
    opens the models once.

    Args:
        image: the column of photos: files' bytes, which are left out of what comes back, or paths.
        age_gender: estimate age and gender too.
        threads: CPU threads for one run of a network. The work is spread over processes, so each needs one.
    """

    def __init__(self, image: str = "image", age_gender: bool = False, threads: int = 1):
        self.image, self.age_gender, self.threads = image, age_gender, threads

    def schema(self, given: pyarrow.Schema) -> pyarrow.Schema:
        """Of what comes back for tables of a schema: their columns, and RESULT in place of what has such a name."""
        left_out = {*RESULT.names, *([] if _is_text(given.field(self.image).type) else [self.image])}
        return pyarrow.schema([*(field for field in given if field.name not in left_out), *RESULT], given.metadata)

    def __call__(self, batch: Batch) -> Batch:
        """Analyse each photo.

        Args:
            batch: a pyarrow.Table or RecordBatch with the column `image`.

        Returns:
            The same, a row for each, of `schema`. A photo that cannot be read has its reason as `error`.

        Raises:
            KeyError: there is no such column.
            ModelError: a model file is missing or altered.
        """
        schema = self.schema(batch.schema)
        answers = [self._answer(photo) for photo in batch.column(self.image).to_pylist()]
        added = {field.name: pyarrow.array([row[field.name] for row in answers], field.type) for field in RESULT}
        arrays = [added[name] if name in added else batch.column(name) for name in schema.names]
        return type(batch).from_arrays(arrays, schema=schema)

    def _answer(self, photo: bytes | str | None) -> dict:
        nothing = dict.fromkeys(RESULT.names)
        if photo is None:
            return nothing | {"error": "There is no photo in this row."}
        try:
            result = _analyzer(self.threads).analyze(photo, self.age_gender)
        except (ImageError, DetectorError) as error:
            return nothing | {"error": str(error)}
        table = columns(photo_rows(result)) if result.faces else {}
        faces = [{field.name: table[field.name][row] for field in FACE} for row in range(len(result.faces))]
        return {"width": result.width, "height": result.height, "faces": faces, "error": None}


@functools.cache
def _analyzer(threads: int) -> FaceAnalyzer:
    cv2.setNumThreads(threads)
    return FaceAnalyzer(threads=threads)


def _is_text(type_: pyarrow.DataType) -> bool:
    types = pyarrow.types
    return types.is_string(type_) or types.is_large_string(type_) or types.is_string_view(type_)
