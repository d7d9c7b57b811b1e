"""The photos of visitors: in memory alone, each under a secret path, bounded, and for a stated time."""

import secrets
import threading
import time
from collections.abc import Set
from dataclasses import dataclass
from gradio.utils import get_upload_folder
from pathlib import Path

from webui.limits import Limits

IDLE_SECONDS, LEFT_SECONDS = Limits().idle_seconds, Limits().left_seconds

MAX_PHOTOS = 256
MAX_HELD_BYTES = 256 * 2**20
"""Of all photos together."""
UNUSED_SECONDS = 120
"""A photo that was sent and never asked about is deleted then; until then it waits for its turn in the queue."""
ABANDONED_SECONDS = 10
"""How long such a photo is safe from newer ones where there is no room; a page asks as soon as it has sent it."""


@dataclass
class _Photo:
    data: bytes
    sent: float
    expires: float
    session: str | None = None
    used: bool = False


class PhotoStore:
    """All photos that were sent; may be shared by threads.

    Gradio wants a path for what was uploaded, so each has one, with 192 random bits in it; there is no file behind it.
    """

    def __init__(self) -> None:
        self._photos: dict[str, _Photo] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._photos)

    @property
    def held_bytes(self) -> int:
        """What all photos take."""
        with self._lock:
            return sum(len(photo.data) for photo in self._photos.values())

    def put(self, data: bytes, suffix: str = "", waiting: Set[str | None] = frozenset()) -> str | None:
        """Keep a photo; its path, or None where there is no room.

        Photos that nobody asked about in ABANDONED_SECONDS make room, then those that were read before, each oldest first;
        not those of the paths in `waiting`, whose turn is still to come.
        """
        path = str(Path(get_upload_folder()) / secrets.token_urlsafe(24) / f"photo{suffix}")
        now = time.monotonic()
        with self._lock:
            held = sum(len(photo.data) for photo in self._photos.values())
            spare = [
                (photo.used, number, other)
                for number, (other, photo) in enumerate(self._photos.items())
                if other not in waiting and (photo.used or now - photo.sent > ABANDONED_SECONDS)
            ]
            spare.sort(reverse=True)
            while len(self._photos) >= MAX_PHOTOS or held + len(data) > MAX_HELD_BYTES:
                if not spare:
                    return None
                held -= len(self._photos.pop(spare.pop()[-1]).data)
            self._photos[path] = _Photo(data, now, now + UNUSED_SECONDS)
        return path

    def get(self, path: str) -> bytes | None:
        """The photo of a path, or None."""
        photo = self._photos.get(path)
        return photo and photo.data

    def read(self, path: str, once: bool) -> bytes | None:
        """The same for those who look at it, who may be the last to do so (`once`)."""
        with self._lock:
            photo = self._photos.pop(path, None) if once else self._photos.get(path)
            if photo is None:
                return None
            photo.used = True
            return photo.data

    def keep_only(self, session: str, path: str | None) -> None:
        """The page of a session shows this photo now, or none: others of the session are forgotten."""
        with self._lock:
            for other in [other for other, photo in self._photos.items() if photo.session == session]:
                if other != path:
                    del self._photos[other]
            if photo := self._photos.get(path or ""):
                photo.session, photo.expires = session, time.monotonic() + IDLE_SECONDS

    def leave(self, session: str, left: bool = True) -> None:
        """The page of a session was closed; or, `left` False, is there again."""
        with self._lock:
            for photo in self._photos.values():
                if photo.session == session:
                    photo.expires = time.monotonic() + (LEFT_SECONDS if left else IDLE_SECONDS)

    def sweep(self) -> None:
        """Forget the photos whose time is over."""
        now = time.monotonic()
        with self._lock:
            for path in [path for path, photo in self._photos.items() if photo.expires < now]:
                del self._photos[path]
