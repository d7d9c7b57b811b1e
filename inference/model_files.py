"""The files in models/, checked before they are used."""

import hashlib
from pathlib import Path

MODELS = Path(__file__).resolve().parent.parent / "models"
CHECKSUMS = MODELS / "SHA256SUMS"


class ModelError(RuntimeError):
    """A model file is missing or is not the released one; the message says which and what to do."""


def read_model(path: str | Path) -> bytes:
    """The bytes of a model file.

    A file of models/ must have the sha256 that models/SHA256SUMS states (the format of the command sha256sum).

    Args:
        path: a file name in models/, or a path to any other file, which is then read without a check.

    Raises:
        ModelError: the file is missing, or a file of models/ was altered or cut off.
    """
    path = MODELS / path
    remedy = "Restore it with `git checkout -- models` or download the project again."
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"The model file {path} cannot be read ({error.strerror}). {remedy}") from None
    if path.resolve().parent == MODELS:
        known = dict(reversed(line.split(maxsplit=1)) for line in CHECKSUMS.read_text().splitlines())
        if hashlib.sha256(data).hexdigest() != known.get(path.name):
            raise ModelError(f"The model file {path} is not the released one (sha256 differs). {remedy}")
    return data


def write_checksums() -> None:
    """Write models/SHA256SUMS from the model files that are there; called by the export."""
    files = sorted(file for file in MODELS.iterdir() if file.suffix in (".onnx", ".tflite"))
    CHECKSUMS.write_text("".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files))
