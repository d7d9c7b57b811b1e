"""What the command does with each file: analyse it, and write what is asked for."""

import contextlib
import functools
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from .analyzer import FaceAnalyzer
from .copies import Copies
from .emotion import EmotionClassifier, live_model
from .outputs import create
from .parquet import ParquetReport
from .processors import usable_processors
from .report import CsvReport, JsonReport, video_entry
from .satisfaction import Timeline
from .sentences import IfadeError
from .sources import open_file, printable
from .stream import Stream
from .types import Analysis
from .video import VideoReader
from .video_writer import VideoWriter
from .workers import Job, Photo


class Networks:
    """The networks of the command, which are opened when they are first needed.

    Args:
        threads: CPU threads for one run.
        videos: whether there are any by name; what turns out to be one is shown to the networks of photos.
    """

    def __init__(self, threads: int | None, videos: bool):
        self._threads, self._videos = threads, videos

    @functools.cached_property
    def of_photos(self) -> FaceAnalyzer:
        """Raises a ModelError where a model file is missing or altered, as `of_videos` does."""
        return FaceAnalyzer(threads=self._threads)

    @functools.cached_property
    def of_videos(self) -> FaceAnalyzer:
        photos = self.of_photos
        if not self._videos:
            return photos
        classifier = EmotionClassifier(live_model(photos.classifier), self._threads)
        return FaceAnalyzer(photos.detector, classifier, photos.estimator)


class Run:
    """What the command is to do with each file.

    Args:
        networks: for videos, and photos that are not analysed elsewhere.
        job: what is done with photos; its copies are also made of videos.
        json: the report to write, or None.
        tables: the tables to write.
        rate: of videos, frames a second to analyse.

    Attributes:
        photos, videos: how many were analysed.
        faces: of the photos.
        problems: what went wrong with the last file without ending it, as sentences.
    """

    def __init__(
        self,
        networks: Networks,
        job: Job,
        json: JsonReport | None,
        tables: Sequence[CsvReport | ParquetReport],
        rate: float,
    ):
        self.networks, self.job = networks, job
        self.json, self.tables, self.rate = json, tables, rate
        self.photos = self.videos = self.faces = 0
        self.problems: list[str] = []

    def file(self, path: Path, name: Path, outcome: Photo | IfadeError | None = None) -> str:
        """Write what is asked for of a photo or a video; gives the line for the terminal.

        Args:
            name: of its copies, without a suffix.
            outcome: see `photos_ahead`; None has the file analysed now.

        Raises:
            ImageError, VideoError, DetectorError, WorkerError: it cannot be read, or not analysed.
            OSError: there is no room for what is to be written, or another reason why nothing more can be.
        """
        self.problems = []
        if isinstance(outcome, IfadeError):
            raise outcome
        if outcome is None:
            source = open_file(path, self.rate)
            if isinstance(source, VideoReader):
                return self.video(path, name, source)
            outcome = self.job.do(source, self.networks.of_photos)
        return self.photo(path, name, outcome)

    def photo(self, path: Path, name: Path, photo: Photo) -> str:
        problems = [copies.write(name, copy) for copies, copy in zip(self.job.copies, photo.copies)]
        self.problems += filter(None, problems)
        if self.json:
            self.json.add(str(path), photo.result.to_dict())
        for table in self.tables:
            table.add(str(path), photo.result)
        self.photos += 1
        self.faces += len(photo.result.faces)
        return summary(photo.result)

    def video(self, path: Path, name: Path, reader: VideoReader) -> str:
        """The same for a video; what was written is complete also when it is interrupted."""
        stream = Stream(self.networks.of_videos)
        with contextlib.ExitStack() as stack:
            stack.enter_context(reader)
            if report := self.json:
                stack.callback(lambda: report.add(str(path), video_entry(reader, stream)))
            stack.push(lambda *error: self.end_video(stream.timeline, error == (None, None, None)))
            writers = [(copies, self.writer(copies, name, reader, stack)) for copies in self.job.copies]
            progress = stack.enter_context(
                tqdm(
                    total=reader.duration and round(reader.duration),
                    desc=printable(path.name),
                    unit=" s of video",
                    disable=None,
                    leave=False,
                )
            )
            moments = stream.moments(reader, self.job.age_gender, ahead=usable_processors() > 1)
            stack.enter_context(contextlib.closing(moments))
            for frame, moment in moments:
                for copies, writer in writers:  # first, so that an interrupt leaves no row whose frame the copy lacks
                    if writer:
                        writer.write(copies.frame(frame.image, moment, self.networks.of_videos), moment.seconds)
                for table in self.tables:
                    table.add_moment(str(path), moment)
                progress.update(round(reader.position) - progress.n)
        if reader.incomplete:
            self.problems.append(f"not read to its end: {reader.incomplete}")
        if stream.lost:
            self.problems.append(f"the face detector failed on {stream.lost} of the frames; they are left out")
        self.videos += 1
        return video_summary(stream.timeline)

    def end_video(self, timeline: Timeline, whole: bool) -> None:
        """No frame comes any more: report and tables look back from the end."""
        timeline.finished = True
        for table in self.tables:
            table.end_video(timeline, whole)

    def writer(
        self, copies: Copies, name: Path, reader: VideoReader, stack: contextlib.ExitStack
    ) -> VideoWriter | None:
        """What writes a video's copy; None where the disk does not take its name."""
        path = copies.path(name, ".mp4")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            create(path).close()
            return stack.enter_context(VideoWriter(path, reader.width, reader.height, copies.comment))
        except OSError as error:
            self.problems.append(copies.problem(path, error))
            return None

    def not_read(self, path: Path, why: str) -> None:
        """Write that a file could not be read."""
        if self.json:
            self.json.add(str(path), {"error": why})
        for table in self.tables:
            table.add_error(str(path), why.removeprefix(f"{path}: "))

    def totals(self, failed: int) -> str:
        """One line for the terminal."""
        counts = ((self.photos, "photo"), (self.faces, "face"), (self.videos, "video"))
        return ", ".join(
            [*(f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts), f"{failed} failed"]
        )


def summary(result: Analysis) -> str:
    """One line for the terminal."""
    faces = [
        "; ".join(
            [
                f"{number} {face.shown} {face.consensus.max():.0%}{'' if face.sure else ' (not sure)'}",
                *face.issue_words,
                *face.apparent,
            ]
        )
        for number, face in enumerate(result.faces, 1)
    ]
    return ", ".join(faces) or "no face found"


def video_summary(timeline: Timeline) -> str:
    """One line for the terminal."""
    report = timeline.report()
    frames = f"{report['frames']} frames up to {report['to'] or 0:.1f} s"
    if report["room"]["mean"] is None:
        return f"{frames}, no face found"
    people = "1 person" if len(report["people"]) == 1 else f"{len(report['people'])} people"
    dwell = sorted(report["room"]["dwell"].items(), key=lambda item: -item[1])
    longest = ", ".join(f"{emotion} {seconds:.1f} s" for emotion, seconds in dwell[:3] if seconds)
    return f"{frames}, {people}, satisfaction {report['room']['mean']:+.2f}; {longest}"
