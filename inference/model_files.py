"""The files in models/, checked before they are used."""

import hashlib
import re
from pathlib import Path

from .sentences import IfadeError

PACKAGE = Path(__file__).resolve().parent
INSTALLED = (PACKAGE / "models").is_dir()
"""Whether this is the installed package, which has the models inside, or the folder of a checkout beside theirs."""
MODELS = (PACKAGE if INSTALLED else PACKAGE.parent) / "models"
CHECKSUMS = MODELS / "SHA256SUMS"
REMEDY = IfadeError("reinstall_package" if INSTALLED else "restore_models")


class ModelError(IfadeError, RuntimeError):
    """A model file, or the list of them, is missing or is not the released one; the sentence says which and what to do."""


def read_model(path: str | Path) -> bytes:
    """The bytes of a model file.

    A file of models/ must have the sha256 that models/SHA256SUMS states (the format of the command sha256sum).

    Args:
        path: a file name in models/, or a path to any other file, which is then read without a check.

    Raises:
        ModelError: the file is missing, or a file of models/ was altered or cut off, or the list of them was.
    """
    path = MODELS / path
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError("model_unreadable", path=path, reason=error.strerror, remedy=REMEDY) from None
    if path.parent.resolve() == MODELS.resolve():
        known = checksums()
        if path.name not in known:
            raise ModelError("model_not_listed", path=path, checksums=CHECKSUMS, remedy=REMEDY)
        if hashlib.sha256(data).hexdigest() != known[path.name]:
            raise ModelError("model_altered", path=path, remedy=REMEDY)
    return data


def checksums() -> dict[str, str]:
    """The sha256 by the file's name."""
    try:
        lines = CHECKSUMS.read_text(errors="replace").splitlines()
    except OSError as error:
        raise ModelError("checksums_unreadable", path=CHECKSUMS, reason=error.strerror, remedy=REMEDY) from None
    known = {}
    for number, line in enumerate(lines, 1):
        match = re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line)
        if match is None:
            raise ModelError("checksums_damaged", path=CHECKSUMS, line=number, remedy=REMEDY)
        known[match[2]] = match[1]
    return known


def write_checksums() -> None:
    """Write models/SHA256SUMS from the model files that are there; called by the export."""
    files = sorted(file for file in MODELS.iterdir() if file.suffix in (".onnx", ".tflite"))
    CHECKSUMS.write_text("".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files))
