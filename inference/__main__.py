"""Emotions of all faces in photos and videos, from the command line.

python -m inference PHOTO|VIDEO|FOLDER... [--age-gender] [--json FILE] [--csv FILE [--decimal-comma]] [--annotate DIR|FILE.mp4] [--rate N]
"""

import argparse
import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path

from .start import (
    end_on_interrupt,
    interruptible,
    open_standard_streams,
    require_system_libraries,
    require_temporary_folder,
)

if __name__ == "__main__":
    end_on_interrupt()
    open_standard_streams()
require_system_libraries()
require_temporary_folder()

import numpy as np
from PIL import Image
from tqdm import tqdm

from . import images, video
from .analyzer import FaceAnalyzer
from .detector import DetectorError
from .drawing import annotate
from .images import ImageError, load_image
from .model_files import INSTALLED, ModelError
from .outputs import Output, OutputError, check_outputs, check_room, create, same_name
from .report import CsvReport, JsonReport, video_entry
from .satisfaction import Timeline
from .stream import Stream
from .types import Analysis
from .video import VideoError, VideoReader, VideoWriter

SUFFIXES = (*images.SUFFIXES, *video.SUFFIXES)

COPY_COMMENT = "Annotated copy by python -m inference"
"""Stands in every annotated copy, which no other file is overwritten for."""


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
        for file in _files_below(source, found) if folder else [source]:
            if file.absolute() in paths:
                continue
            paths.add(file.absolute())
            name = Path(source.resolve().name, file.relative_to(source)) if folder else Path(source.name)
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

    unread, files, left_out = len(found.unread), [], []
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
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(path))


def open_file(path: Path, rate: float) -> np.ndarray | VideoReader:
    """A photo's pixels, or a video: what the name says is tried first, then the other.

    Raises:
        ImageError, VideoError: it is neither.
    """
    if not os.path.isfile(path):
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
        photos, videos: how many were analysed.
        faces: of the photos.
        problems: what went wrong with the last file without ending it, as sentences.
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
        self.age_gender = age_gender
        self.photos = self.videos = self.faces = 0
        self.problems: list[str] = []

    def file(self, path: Path, name: Path, rate: float) -> str:
        """Analyse a photo or a video and write what is asked for; gives the line for the terminal.

        Raises:
            ImageError, VideoError, DetectorError: it cannot be read, or not analysed.
            OSError: there is no room for what is to be written, or another reason why nothing more can be.
        """
        self.problems = []
        source = open_file(path, rate)
        return (self.video if isinstance(source, VideoReader) else self.photo)(path, name, source)

    def photo(self, path: Path, name: Path, image: np.ndarray) -> str:
        result = self.analyzer.analyze(image, self.age_gender)
        if self.annotated and is_one_video(self.annotated):
            self.problems.append(f"no annotated copy: this is a photo, and {printable(self.annotated)} names a video.")
        elif self.annotated:
            copy = BytesIO()
            Image.fromarray(annotate(image, result.faces)).save(copy, "JPEG", quality=92, comment=COPY_COMMENT)
            with self.copy(name, ".jpg") as target:
                create(target, copy.getvalue()).close()
        if self.json:
            self.json.add(str(path), result.to_dict())
        if self.table:
            self.table.add(str(path), result)
        self.photos += 1
        self.faces += len(result.faces)
        return summary(result)

    def video(self, path: Path, name: Path, reader: VideoReader) -> str:
        """The same for a video; what was written is complete also when it is interrupted."""
        stream = Stream(self.analyzer)
        with contextlib.ExitStack() as stack:
            stack.enter_context(reader)
            if self.json:
                stack.callback(lambda: self.json.add(str(path), video_entry(reader, stream)))
            stack.callback(self.end_video, stream.timeline)
            writer = None
            if self.annotated:
                with self.copy(name, ".mp4") as target:
                    create(target).close()
                    writer = stack.enter_context(VideoWriter(target, reader.width, reader.height, COPY_COMMENT))
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
                    moment = stream.add(frame.image, frame.seconds, age_gender=self.age_gender)
                except DetectorError:
                    continue
                if writer:  # first, so that an interrupt leaves no row in the table whose frame the copy lacks
                    writer.write(annotate(frame.image, moment.faces, moment.ids), moment.seconds)
                if self.table:
                    self.table.add_moment(str(path), moment)
                progress.update(round(reader.position) - progress.n)
        if reader.incomplete:
            self.problems.append(f"not read to its end: {reader.incomplete}")
        if stream.lost:
            self.problems.append(f"the face detector failed on {stream.lost} of the frames; they are left out")
        self.videos += 1
        return video_summary(stream.timeline)

    def end_video(self, timeline: Timeline) -> None:
        """No frame comes any more: report and table look back from the end."""
        timeline.finished = True
        if self.table:
            self.table.end_video(timeline)

    @contextlib.contextmanager
    def copy(self, name: Path, suffix: str) -> Iterator[Path]:
        """Where the annotated copy goes. A name that the disk does not take is a problem of this file alone."""
        path = self.annotated if is_one_video(self.annotated) else self.annotated / f"{name}{suffix}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield path
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            self.problems.append(f"no annotated copy: {printable(path)} cannot be written ({error.strerror}).")

    def totals(self, failed: int) -> str:
        """One line for the terminal."""
        counts = ((self.photos, "photo"), (self.faces, "face"), (self.videos, "video"))
        return ", ".join(
            [*(f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts), f"{failed} failed"]
        )


def is_one_video(annotated: Path) -> bool:
    """Whether --annotate names the copy of one video, not a folder."""
    return annotated.suffix.lower() == ".mp4" and not annotated.is_dir()


def planned_outputs(
    json: Path | None, table: Path | None, annotated: Path | None, files: list[tuple[Path, Path]]
) -> list[Output]:
    """All files that may be written.

    Raises:
        OutputError: a name is not for what the option writes.
    """
    outputs = []
    for option, path, report in (("--json", json, JsonReport), ("--csv", table, CsvReport)):
        if path and path.suffix.lower() in SUFFIXES:
            raise OutputError("output_named_like_source", option=option, path=path, suffix=option[2:])
        if path:
            outputs.append(Output(option, path, report.is_earlier))
    if annotated:
        copies = [annotated]
        if not is_one_video(annotated):
            if annotated.suffix.lower() in (*SUFFIXES, ".csv", ".json") and not annotated.is_dir():
                raise OutputError("annotate_names_file", path=annotated)
            copies = [annotated / f"{name}{suffix}" for _, name in files for suffix in (".jpg", ".mp4")]
        elif len(files) > 1 or any(path.suffix.lower() in images.SUFFIXES for path, _ in files):
            raise OutputError("annotate_several")
        outputs += [Output("--annotate", copy, lambda head: COPY_COMMENT.encode() in head) for copy in copies]
    return outputs


def cannot_write(error: OSError) -> str:
    """One line on what could not be written and why."""
    path = printable(str(error.filename or "the results").removeprefix("file:"))  # FFmpeg's way to name a file
    return f"error: cannot write {path}: {error.strerror}. What was written before is complete; free or name another place."


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


def named_path(text: str) -> Path:
    """A path of the command line; an empty one, as of a variable that is not set, would be the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("an empty name")
    return Path(text)


def file_path(text: str) -> Path:
    """A path of a file to be written."""
    if text.endswith(("/", os.sep)):
        raise argparse.ArgumentTypeError(f"{text} is the name of a folder; name a file")
    return named_path(text)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="ifade" if INSTALLED else "python -m inference",
        description="Find all faces in photos and videos and give the seven emotion probabilities of each.",
        epilog="Exit status: 0 all files were read to their end and all that was asked for is written, 1 not so, 2 wrong usage, "
        "with nothing done, 130 interrupted. "
        "The weights of most networks learnt from UTKFace, which is for non-commercial research only: see models/NOTICE.",
    )
    parser.add_argument("sources", nargs="+", type=named_path, metavar="PHOTO|VIDEO|FOLDER")
    parser.add_argument("--age-gender", action="store_true", help="estimate the apparent age and gender too")
    parser.add_argument("--json", type=file_path, metavar="FILE", help="write one object a photo, and a report a video")
    parser.add_argument(
        "--csv", type=file_path, metavar="FILE", help="write one row a face of each photo and video frame"
    )
    parser.add_argument(
        "--decimal-comma",
        action="store_true",
        help="write the CSV as spreadsheets open it where numbers have a decimal comma, with semicolons between the cells",
    )
    parser.add_argument(
        "--annotate",
        type=named_path,
        metavar="DIR|FILE.mp4",
        help="write copies with numbered boxes; of one video, FILE.mp4",
    )
    parser.add_argument(
        "--rate",
        type=rate,
        default=video.RATE,
        metavar="N",
        help="video frames a second to analyse (default: %(default)g)",
    )
    args = parser.parse_args()
    if args.decimal_comma and not args.csv:
        parser.error("--decimal-comma says how --csv FILE is written; name that file too")
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # names that the terminal cannot show
    found = find_files(args.sources)
    for note in found.notes:
        print(printable(note), file=sys.stderr)
    if not found.files and not found.unread:
        print(f"error: nothing to read. Of folders this is read: {', '.join(SUFFIXES)}", file=sys.stderr)
        return 1
    try:
        outputs = planned_outputs(args.json, args.csv, args.annotate, found.files)
        check_outputs(outputs, [path for path, _ in found.files])
    except OutputError as error:
        parser.error(printable(error))
    except OSError as error:
        print(cannot_write(error), file=sys.stderr)
        return 1
    total, failed = len(found.files) + len(found.unread), 0
    with contextlib.ExitStack() as stack:
        try:
            analyzer = FaceAnalyzer()
            if args.age_gender and analyzer.estimator is None:
                raise ModelError("age_gender_missing")
            for path in filter(None, (args.json, args.csv)):
                check_room(path)
            if args.annotate:
                check_room(args.annotate, args.annotate.parent if is_one_video(args.annotate) else args.annotate)
            json_report = JsonReport(args.json) if args.json else None
            table = CsvReport(args.csv, args.decimal_comma) if args.csv else None
        except ModelError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        except OSError as error:
            print(cannot_write(error), file=sys.stderr)
            return 1
        for report in filter(None, (json_report, table)):
            stack.callback(report.close)
        run = Run(analyzer, json_report, table, args.annotate, args.age_gender)

        def not_read(path: Path, why: str) -> None:
            if run.json:
                run.json.add(str(path), {"error": why})
            why = why.removeprefix(f"{path}: ")
            if run.table:
                run.table.add_error(str(path), why)
            tqdm.write(f"{printable(path)}: not read: {printable(why)}", file=sys.stderr)

        progress = stack.enter_context(tqdm(found.files, unit="file", disable=None if total > 1 else True))
        try:
            for path, why in found.unread:
                failed += 1
                not_read(path, why)
            for path, name in progress:
                try:
                    line = run.file(path, name, args.rate)
                except (ImageError, VideoError, DetectorError) as error:
                    failed += 1
                    not_read(path, str(error))
                    continue
                progress.write(f"{printable(path)}: {line}", file=sys.stdout)
                failed += bool(run.problems)
                for problem in run.problems:
                    progress.write(f"{printable(path)}: {problem}", file=sys.stderr)
        except OSError as error:
            progress.close()
            if run.photos or run.videos:
                print(run.totals(failed), file=sys.stderr)
            print(cannot_write(error), file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            progress.close()
            print(f"\nInterrupted; what was written so far is complete.\n{run.totals(failed)}", file=sys.stderr)
            return 130
    of_all = f": {failed} of {total} files could not be read, or not to their end, or not be copied" if failed else ""
    if total > 1 or failed:  # of one file its own line says as much
        print(run.totals(failed) + of_all, file=sys.stderr)
    return 1 if failed else 0


def run_to_the_end() -> int:
    """main(), which Ctrl-C may end at any moment."""
    with interruptible():
        try:
            return main()
        except KeyboardInterrupt:  # before or after what main() finishes when it is interrupted
            return 130


if __name__ == "__main__":
    sys.exit(run_to_the_end())
