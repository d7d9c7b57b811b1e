"""What must be there before the large libraries are imported: system libraries of OpenCV and MediaPipe, and a folder."""

import ctypes
import os
import sys
import tempfile

DEBIAN_PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGLESv2.so.2": "libgles2",
    "libGL.so.1": "libgl1",
    "libgthread-2.0.so.0": "libglib2.0-0",
}


def require_system_libraries() -> None:
    """End the program with one line that names the missing libraries and the command that installs them."""
    if not sys.platform.startswith("linux"):
        return
    missing = {name: package for name, package in DEBIAN_PACKAGES.items() if not _loads(name)}
    if missing:
        sys.exit(
            f"error: missing system {'library' if len(missing) == 1 else 'libraries'} {', '.join(missing)}: install with "
            f"`apt-get install {' '.join(missing.values())}` (Debian, Ubuntu) or your system's packages of that name."
        )


def require_temporary_folder(variable: str = "", name: str = "") -> None:
    """End the program with one line where temporary files cannot be written.

    Args:
        variable: of the environment, which may name the folder.
        name: of the folder in the system's one for temporary files, where the variable does not; default: that itself.
    """
    try:
        folder = os.environ.get(variable) or os.path.join(tempfile.gettempdir(), name)
    except FileNotFoundError:
        sys.exit("error: no folder for temporary files can be written: set TMPDIR to one, and let it have some room.")
    try:
        os.makedirs(folder, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        sys.exit(
            f"error: temporary files cannot be written in {folder} ({error.strerror}): set {variable or 'TMPDIR'} to a folder where "
            "they can, and that has some room."
        )


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True
