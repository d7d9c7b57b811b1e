"""One step of a stream: a frame of a camera or a video goes in, what is known at that moment comes out."""

import contextlib
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from .analyzer import Cut, FaceAnalyzer
from .blazeface import DetectorError
from .follow import FaceFollower
from .satisfaction import Reading, Timeline
from .side_by_side import read_ahead
from .tracker import Placed, TrackedFace
from .types import Face
from .video import VideoFrame

AHEAD = 3
"""So many frames are read, and faces found in so many, before they are asked for: one of ten frames takes three times as long."""

Item = TypeVar("Item")


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
        return self.moment(seconds, people)

    def moments(
        self, frames: Iterable[VideoFrame], age_gender: bool = False, ahead: bool = False
    ) -> Generator[tuple[VideoFrame, Moment], None, None]:
        """What `add` says of one frame after another, but for the lost ones; to be closed.

        Args:
            frames, age_gender, ahead: see `followed`.
        """
        with contextlib.closing(self.followed(frames, age_gender, ahead)) as followed:
            for frame, people in followed:
                yield frame, self.moment(frame.seconds, people)

    def followed(
        self, frames: Iterable[VideoFrame], age_gender: bool = False, ahead: bool = False
    ) -> Generator[tuple[VideoFrame, list[TrackedFace]], None, None]:
        """The same without the timeline, for who gives everybody to `moment`, frame after frame; to be closed.

        Args:
            frames, age_gender: see `add`.
            ahead: whether a thread reads the next frames and another one follows the faces to them, while one is classified and
                the caller works on it.
        """
        with contextlib.ExitStack() as stack:

            def early(items: Iterable[Item]) -> Iterable[Item]:
                return stack.enter_context(contextlib.closing(read_ahead(items, AHEAD))) if ahead else items

            for frame, cuts, placed in early(self._find(early(frames), age_gender)):
                yield frame, self.follower.name(self.follower.analyzer.answer(cuts), placed)

    def _find(
        self, frames: Iterable[VideoFrame], age_gender: bool
    ) -> Iterator[tuple[VideoFrame, list[Cut], list[Placed]]]:
        """Frames with what `FaceFollower.find` says of them, but for the lost ones."""
        for frame in frames:
            try:
                cuts, placed = self.follower.find(frame.image, frame.seconds, age_gender=age_gender)
            except DetectorError:
                self.lost += 1
            else:
                yield frame, cuts, placed

    def moment(self, seconds: float, people: list[TrackedFace]) -> Moment:
        """Take everybody in the next frame into the timeline."""
        return Moment(seconds, people, *self.timeline.add(seconds, people))

    def report(self) -> dict:
        """`Timeline.report` and `frames_lost`, as JSON types."""
        return self.timeline.report() | {"frames_lost": self.lost}
