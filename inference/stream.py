"""One step of a stream: a frame of a camera or a video goes in, what is known at that moment comes out."""

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from .analyzer import FaceAnalyzer
from .detector import DetectorError
from .follow import FaceFollower
from .satisfaction import Reading, Timeline
from .side_by_side import side_by_side
from .tracker import Placed, TrackedFace
from .types import Face
from .video import VideoFrame


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """What is known of one frame, at its time. Pages, tables and annotated copies are made of Moments.

    Attributes:
        seconds: the frame's time, from the beginning of the stream.
        people: who is in it, in the order of their ids.
        room: the satisfaction index of all of them together, None where nobody is there.
        readings: that of each person, by id.
    """

    seconds: float
    people: list[TrackedFace]
    room: Reading | None
    readings: Mapping[int, Reading]

    @property
    def faces(self) -> list[Face]:
        """The people's faces averaged over time, which is what is drawn."""
        return [person.smoothed for person in self.people]

    @property
    def ids(self) -> list[int]:
        """The numbers that are drawn beside `faces`."""
        return [person.id for person in self.people]


class Stream:
    """The frames of one camera or video: who is in them, and the curve of all. Not for several threads at once.

    Args:
        analyzer: may be shared; its detector must be one that searches.
        camera: see `FaceFollower`.

    Attributes:
        follower: who is followed.
        timeline: the satisfaction index from the first frame to the last.
        lost: frames on which the face detector failed; they are not in the timeline.
    """

    def __init__(self, analyzer: FaceAnalyzer, camera: bool = False):
        self.follower, self.timeline = FaceFollower(analyzer, camera), Timeline()
        self.lost = 0

    def add(self, image: np.ndarray, seconds: float, width: float | None = None, age_gender: bool = False) -> Moment:
        """Take in the next frame.

        Args:
            image, width, age_gender: see `FaceFollower.analyze`.
            seconds: the frame's time; must grow from frame to frame.

        Raises:
            ValueError: the array is not a picture, or the time is not finite or runs backwards.
            DetectorError: the face detector failed on this frame, which is left out and counted; the next may be given.
        """
        try:
            people = self.follower.analyze(image, seconds, width, age_gender)
        except DetectorError:
            self.lost += 1
            raise
        return self._moment(seconds, people)

    def moments(
        self, frames: Iterable[VideoFrame], age_gender: bool = False, ahead: bool = False
    ) -> Generator[tuple[VideoFrame, Moment], None, None]:
        """What `add` says of one frame after another, but for the lost ones; to be closed.

        Args:
            frames, age_gender: see `add`.
            ahead: whether threads classify a frame, and read the one after the next, while faces are followed to the next.
        """
        follower, waiting = self.follower, None
        with side_by_side(2 if ahead else 0) as begin:
            left = iter(frames)
            following = begin(next, left, None)
            while (frame := following()) is not None:
                following = begin(next, left, None)
                try:
                    cuts, placed = follower.find(frame.image, frame.seconds, age_gender=age_gender)
                except DetectorError:
                    self.lost += 1
                    continue
                answers = begin(follower.analyzer.answer, cuts)
                if waiting:
                    yield waiting[0], self._named(*waiting)
                waiting = frame, placed, answers
            if waiting:
                yield waiting[0], self._named(*waiting)

    def _named(self, frame: VideoFrame, placed: list[Placed], answers: Callable[[], list[Face]]) -> Moment:
        return self._moment(frame.seconds, self.follower.name(answers(), placed))

    def _moment(self, seconds: float, people: list[TrackedFace]) -> Moment:
        return Moment(seconds, people, *self.timeline.add(seconds, people))

    def report(self) -> dict:
        """`Timeline.report` and `frames_lost`, as JSON types."""
        return self.timeline.report() | {"frames_lost": self.lost}
