"""What the command line reads: photos and videos among files and folders."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from . import images, video
from .images import ImageError, Photograph, load_photograph
from .outputs import same_name
from .video import VideoError, VideoReader

SUFFIXES = (*images.SUFFIXES, *video.SUFFIXES)


@dataclass
class Found:
    """What the sources hold.

    Attributes:
        files: photos and videos as (path, name for the annotated copy, without a suffix): files themselves, and what folders
            hold at any depth, each once. Names are relative to their folder and differ from one another, also where upper and
            lower case are one, so that no copy overwrites another.
        unread: folders that cannot be read, and why not.
        notes: what else is left out, as sentences.
    """

    files: list[tuple[Path, Path]] = field(default_factory=list)
    unread: list[tuple[Path, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_files(sources: list[Path]) -> Found:
    """Look into the sources."""
    found = Found()
    paths: set[Path] = set()
    names: set[str] = set()
    for source in sources:
        folder = os.path.isdir(source)
        folder_name = source.resolve().name if folder else ""
        for file in _files_below(source, found) if folder else [source]:
            place = file.absolute()
            if place in paths:
                continue
            paths.add(place)
            name = Path(folder_name, file.relative_to(source)) if folder else Path(source.name)
            name = name.with_suffix("") if name.suffix in (".jpg", ".mp4") else name
            stem, count = name.name, 1
            while same_name(name) in names:
                count += 1
                name = name.with_name(f"{stem}_{count}")
            names.add(same_name(name))
            found.files.append((file, name))
    return found


def _files_below(folder: Path, found: Found) -> list[Path]:
    """What has a photo's or a video's name in a folder; `found` is told what cannot be read or is left out."""

    def note(error: OSError) -> None:
        found.unread.append((Path(error.filename), f"cannot be read ({error.strerror})."))

    unread = len(found.unread)
    files: list[Path] = []
    left_out: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=note):
        for path in (Path(parent, name) for name in sorted(folders)):
            if path.is_symlink():
                found.notes.append(f"{path}: a link to a folder is not followed; name it to have it read.")
        for path in (Path(parent, name) for name in names):
            if path.suffix.lower() in SUFFIXES:
                (left_out if _is_apple_double(path) else files).append(path)
    if left_out:
        found.notes.append(f"{folder}: left out as macOS's notes on files, not pictures: {some_names(left_out)}.")
    if not files and len(found.unread) == unread:
        found.notes.append(f"{folder}: no photo or video in it.")
    return sorted(files)


def some_names(paths: list[Path], most: int = 3) -> str:
    """The first few names, and how many more there are."""
    names = ", ".join(path.name for path in sorted(paths)[:most])
    return f"{names} and {len(paths) - most:,} more" if len(paths) > most else names


def is_photo(path: Path) -> bool:
    """Whether it has a photo's name."""
    return path.suffix.lower() in images.SUFFIXES


def is_video(path: Path) -> bool:
    """Whether it has a video's name."""
    return path.suffix.lower() in video.SUFFIXES


def _is_apple_double(path: Path) -> bool:
    """Whether this is what macOS keeps of a file on disks of others, under the file's name with ._ before it."""
    if not path.name.startswith("._") or not os.path.isfile(path):
        return False
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"\0\5\x16\7"
    except OSError:
        return False


def printable(path: Path | str) -> str:
    """A path without line breaks, other control characters and bytes that are no text, for the terminal."""
    text = str(path)
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def open_file(path: Path, rate: float = video.RATE) -> Photograph | VideoReader:
    """A photo, or a video: what the name says is tried first, then the other.

    Raises:
        ImageError, VideoError: it is neither.
    """
    if not os.path.isfile(path):
        return load_photograph(path)  # says why not; a pipe must not even be opened
    attempts: list[Callable] = [load_photograph, partial(VideoReader, rate=rate)]
    if is_video(path):
        attempts.reverse()
    try:
        return attempts[0](path)
    except (ImageError, VideoError) as error:
        try:
            return attempts[1](path)
        except (ImageError, VideoError):
            raise error from None
