"""System libraries that OpenCV and MediaPipe load, checked before they are imported."""

import ctypes
import sys

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


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True
