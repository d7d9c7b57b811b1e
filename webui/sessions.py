"""What is kept of each visitor: in memory alone, by a secret token, bounded, and for a stated time."""

import secrets
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from inference.satisfaction import Timeline
from inference.stream import Stream
from inference.tables import FrameTable
from webui.limits import Limits
from webui.shares import Place, Shares
from webui.texts import PageError


class SessionError(PageError, LookupError):
    """There is no such session."""


class Session:
    """One visitor's stream: who was followed, the curve and a row for every face of every frame.

    Attributes:
        place: what it takes up of the server.
        stream: what is known of its frames.
        lock: held while a frame or a change is worked on.
        in_flight: whether a frame is being read, waits or is worked on; the event loop's alone.
        origin: the browser's time of the first frame, in seconds since 1970; None before it.
        seconds: time of the last frame, from `origin`.
        video: what `webui.video` does for it; None for a camera's session.
    """

    def __init__(self, stream: Stream, limits: Limits, visitor: str = ""):
        self.token = secrets.token_urlsafe(32)
        self.place = Place(visitor, None)
        self.lock = threading.Lock()
        self.in_flight = False
        self.stream = stream
        self.rows = FrameTable()
        self.origin: float | None = None
        self.seconds = 0.0
        self.video: Any = None
        self.left = False
        self._limits = limits
        self.live_on()

    @property
    def timeline(self) -> Timeline:
        """The stream's."""
        return self.stream.timeline

    def live_on(self) -> None:
        """The session was used: its time begins anew, unless its page was closed."""
        if self.left:
            # A frame that was under way then comes later than the word of it.
            return
        used = self.origin is not None or self.video is not None
        limits, now = self._limits, time.monotonic()
        self.expires = now + (limits.idle_seconds if used else limits.unused_seconds)
        begun = self.video is not None or self.timeline.frames >= limits.begun_frames
        self.place.heard = now if begun else now - limits.silent_session_seconds + limits.silent_begun_seconds


class SessionStore:
    """All sessions, by token; may be shared by threads.

    Args:
        new_stream: makes that of a new session.
    """

    def __init__(self, new_stream: Callable[[], Stream], limits: Limits = Limits()):
        self.new_stream, self.limits = new_stream, limits
        self._sessions: dict[str, Session] = {}
        self._shares = Shares(limits.sessions, "no_place", patience=limits.silent_session_seconds)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._sessions)

    def start(self, visitor: str = "") -> Session:
        """A new session.

        Raises:
            Refusal: there are as many as may be, and none is silent or of a visitor who has more.
        """
        session = Session(self.new_stream(), self.limits, visitor)
        session.place.give_up = partial(self._drop, session.token)
        with self._lock:
            self._drop_expired()
            self._shares.take(session.place)
            self._sessions[session.token] = session
        return session

    def get(self, token: str | None) -> Session:
        """The session of a token, which lives on from now, unless its page was closed.

        Raises:
            SessionError: there is none, or it has ended.
        """
        with self._lock:
            self._drop_expired()
            session = self._sessions.get(token or "")
            if session is None:
                raise SessionError("session_ended")
            session.live_on()
            return session

    def holds(self, session: Session) -> bool:
        """Whether a session is still there; it does not live longer for the question."""
        with self._lock:
            self._drop_expired()
            return self._sessions.get(session.token) is session

    def resume(self, token: str | None) -> Session:
        """The session of a page that was reloaded.

        Raises:
            SessionError: there is none, or another page is using it.
        """
        with self._lock:
            session = self._sessions.get(token or "")
            if session is None or not session.left:
                raise SessionError("session_ended")
            session.left = False
        return self.get(token)

    def leave(self, token: str | None) -> None:
        """The page was closed or is being reloaded."""
        with self._lock:
            session = self._sessions.get(token or "")
            if session is not None:
                session.expires, session.left = time.monotonic() + self.limits.left_seconds, True

    def delete(self, token: str | None) -> bool:
        """Forget a session at once; whether there was one."""
        with self._lock:
            return self._drop(token or "")

    def sweep(self) -> None:
        """Forget the sessions whose time is over."""
        with self._lock:
            self._drop_expired()

    def _drop_expired(self) -> None:
        now = time.monotonic()
        for token in [token for token, session in self._sessions.items() if session.expires < now]:
            self._drop(token)

    def _drop(self, token: str) -> bool:
        session = self._sessions.pop(token, None)
        if session is not None:
            self._shares.leave(session.place)
        return session is not None
