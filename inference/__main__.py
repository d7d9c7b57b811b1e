"""Emotions of all faces in photos and videos, from the command line.

python -m inference PHOTO|VIDEO|FOLDER... [--age-gender] [--json FILE] [--csv FILE] [--annotate DIR|FILE.mp4] [--rate N]
"""

import argparse
import contextlib
import os
import sys
from functools import partial
from io import BytesIO
from pathlib import Path

from inference.system_libraries import require_system_libraries, require_temporary_folder

require_system_libraries()
require_temporary_folder()

import numpy as np
from PIL import Image
from tqdm import tqdm

from inference import images, video
from inference.analyzer import FaceAnalyzer
from inference.detector import DetectorError, send_no_reports
from inference.drawing import annotate
from inference.follow import FaceFollower
from inference.images import ImageError, load_image
from inference.model_files import ModelError
from inference.report import CsvReport, JsonReport, video_entry
from inference.satisfaction import Timeline
from inference.types import Analysis
from inference.video import VideoError, VideoReader, VideoWriter

SUFFIXES = (*images.SUFFIXES, *video.SUFFIXES)


def find_files(sources: list[Path]) -> list[tuple[Path, Path]]:
    """Every photo and video as (path, name for its annotated copy, without a suffix): files themselves, and what folders
    hold at any depth.

    Names are relative to their folder and differ from one another, so that no copy overwrites another.
    """
    found: list[tuple[Path, Path]] = []
    taken: set[Path] = set()
    for source in sources:
        if source.is_dir():
            files = sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        else:
            files = [source]
        for file in files:
            name = Path(source.resolve().name, file.relative_to(source)) if source.is_dir() else Path(source.name)
            name = name.with_suffix("") if name.suffix in (".jpg", ".mp4") else name
            stem, count = name.name, 1
            while name in taken:
                count += 1
                name = name.with_name(f"{stem}_{count}")
            taken.add(name)
            found.append((file, name))
    return found


def printable(path: Path | str) -> str:
    """A path without line breaks, other control characters and bytes that are no text, for the terminal."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(path))


def open_file(path: Path, rate: float) -> np.ndarray | VideoReader:
    """A photo's pixels, or a video: what the name says is tried first, then the other.

    Raises:
        ImageError, VideoError: it is neither.
    """
    if not path.is_file():
        return load_image(path)  # says why not; a pipe must not even be opened
    attempts = [load_image, partial(VideoReader, rate=rate)]
    if path.suffix.lower() in video.SUFFIXES:
        attempts.reverse()
    try:
        return attempts[0](path)
    except (ImageError, VideoError) as error:
        try:
            return attempts[1](path)
        except (ImageError, VideoError):
            raise error from None


class Run:
    """What the command is to do with each file.

    Attributes:
        lost: frames of the last video on which the detector failed, which are left out.
    """

    def __init__(
        self,
        analyzer: FaceAnalyzer,
        json: JsonReport | None,
        table: CsvReport | None,
        annotated: Path | None,
        age_gender: bool = False,
    ):
        self.analyzer, self.json, self.table, self.annotated = analyzer, json, table, annotated
        self.age_gender, self.lost = age_gender, 0

    def copy(self, name: Path, suffix: str) -> Path:
        """Where the annotated copy goes."""
        path = self.annotated if self.annotated.suffix == ".mp4" else self.annotated / f"{name}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def photo(self, path: Path, name: Path, image: np.ndarray) -> str:
        """Analyse a photo and write what is asked for; gives the line for the terminal."""
        result = self.analyzer.analyze(image, self.age_gender)
        if self.annotated:
            copy = BytesIO()
            Image.fromarray(annotate(image, result.faces)).save(copy, "JPEG", quality=92)
            write_whole(self.copy(name, ".jpg"), copy.getvalue())
        if self.json:
            self.json.add(str(path), result.to_dict())
        if self.table:
            self.table.add(str(path), result)
        return summary(result)

    def video(self, path: Path, name: Path, reader: VideoReader) -> str:
        """The same for a video; what was written is complete also when it is interrupted."""
        follower, timeline = FaceFollower(self.analyzer), Timeline()
        self.lost = 0
        with contextlib.ExitStack() as stack:
            stack.enter_context(reader)
            if self.json:
                stack.callback(lambda: self.json.add(str(path), video_entry(reader, timeline)))
            writer = None
            if self.annotated:
                writer = stack.enter_context(VideoWriter(self.copy(name, ".mp4"), reader.width, reader.height))
            progress = stack.enter_context(
                tqdm(
                    total=reader.duration and round(reader.duration),
                    desc=printable(path.name),
                    unit=" s of video",
                    disable=None,
                    leave=False,
                )
            )
            for frame in reader:
                try:
                    people = follower.analyze(frame.image, frame.seconds, age_gender=self.age_gender)
                except DetectorError:
                    self.lost += 1
                    continue
                if writer:  # first, so that an interrupt leaves no row in the table whose frame the copy lacks
                    faces = [person.smoothed for person in people]
                    writer.write(annotate(frame.image, faces, [person.id for person in people]), frame.seconds)
                room, readings = timeline.add(frame.seconds, people)
                if self.table:
                    self.table.add_frame(str(path), frame.seconds, people, room, readings)
                progress.update(round(reader.position) - progress.n)
        return video_summary(timeline)


def cannot_write(error: OSError) -> str:
    """One line on what could not be written and why."""
    path = str(error.filename or "the results").removeprefix("file:")  # FFmpeg's way to name a file
    return f"error: cannot write {path}: {error.strerror}. What was written before is complete; free or name another place."


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, of which nothing is left where there is no room for all of it.

    Raises:
        OSError: it cannot be written; `filename` says which.
    """
    try:
        path.write_bytes(data)
    except OSError as error:
        if path.is_file():
            path.unlink()
        error.filename = str(path)
        raise


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


def rate(text: str) -> float:
    """Frames a second, at least one: with fewer nobody is the same from one to the next."""
    value = float(text)
    if not 1 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"{text} is not from 1 to 1000 frames a second")
    return value


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m inference",
        description="Find all faces in photos and videos and give the seven emotion probabilities of each.",
        epilog="Exit status: 0 all files were read to their end, 1 some were not, 2 wrong usage, 130 interrupted.",
    )
    parser.add_argument("sources", nargs="+", type=Path, metavar="PHOTO|VIDEO|FOLDER")
    parser.add_argument("--age-gender", action="store_true", help="estimate the apparent age and gender too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write one object a photo, and a report a video")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write one row a face of each photo and video frame")
    parser.add_argument(
        "--annotate", type=Path, metavar="DIR|FILE.mp4", help="write copies with numbered boxes; of one video, FILE.mp4"
    )
    parser.add_argument(
        "--rate",
        type=rate,
        default=video.RATE,
        metavar="N",
        help="video frames a second to analyse (default: %(default)g)",
    )
    args = parser.parse_args()
    send_no_reports()
    files = find_files(args.sources)
    if not files:
        print(
            f"error: no photo or video in {', '.join(map(printable, args.sources))} ({', '.join(SUFFIXES)})",
            file=sys.stderr,
        )
        return 1
    if args.annotate and args.annotate.suffix == ".mp4":
        if len(files) > 1 or files[0][0].suffix.lower() in images.SUFFIXES:
            parser.error("--annotate FILE.mp4 is for one video; name a folder for the copies of several files")
    for path, name in files if args.annotate else ():
        copies = [args.annotate, *(args.annotate / f"{name}{suffix}" for suffix in (".jpg", ".mp4"))]
        if os.path.realpath(path) in map(os.path.realpath, copies):
            parser.error(f"--annotate would overwrite {printable(path)}")
    failed = 0
    with contextlib.ExitStack() as stack:
        try:
            analyzer = FaceAnalyzer()
            if args.age_gender and analyzer.estimator is None:
                raise ModelError("--age-gender needs models/age_gender.onnx. Restore it with `git checkout -- models`.")
            reports = [kind(path) if path else None for kind, path in ((JsonReport, args.json), (CsvReport, args.csv))]
        except ModelError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        except OSError as error:
            print(cannot_write(error), file=sys.stderr)
            return 1
        for report in filter(None, reports):
            stack.callback(report.close)
        run = Run(analyzer, *reports, args.annotate, args.age_gender)
        progress = stack.enter_context(tqdm(files, unit="file", disable=None if len(files) > 1 else True))
        try:
            for path, name in progress:
                try:
                    source = open_file(path, args.rate)
                    is_video = isinstance(source, VideoReader)
                    line = (run.video if is_video else run.photo)(path, name, source)
                except (ImageError, VideoError, DetectorError) as error:
                    failed += 1
                    if run.json:
                        run.json.add(str(path), {"error": str(error)})
                    problem = str(error).removeprefix(f"{path}: ")
                    progress.write(f"{printable(path)}: not read: {problem}", file=sys.stderr)
                    continue
                progress.write(f"{printable(path)}: {line}", file=sys.stdout)
                problems = [f"not read to its end: {source.incomplete}"] if is_video and source.incomplete else []
                if is_video and run.lost:
                    problems.append(f"the face detector failed on {run.lost} of the pictures; they are left out")
                failed += bool(problems)
                for problem in problems:
                    progress.write(f"{printable(path)}: {problem}", file=sys.stderr)
        except OSError as error:
            print(cannot_write(error), file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nInterrupted; what was written so far is complete.", file=sys.stderr)
            return 130
    if failed:
        print(f"{failed} of {len(files)} files could not be read, or not to their end", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
