"""Emotions of all faces in photos and videos, from the command line.

python -m inference PHOTO|VIDEO|FOLDER... [--age-gender] [--json FILE] [--csv FILE [--decimal-comma]] [--parquet FILE|DIR [--resume]]
    [--annotate DIR|FILE.mp4] [--blur DIR|FILE.mp4] [--rate N] [--workers N]
"""

from .start import end_on_interrupt

if __name__ == "__main__":
    end_on_interrupt()

import argparse
import contextlib
import importlib.util
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from .start import interruptible, open_standard_streams, require_system_libraries, require_temporary_folder

if __name__ == "__main__":
    open_standard_streams()
require_system_libraries()
require_temporary_folder()

import cv2
from tqdm import tqdm

from . import video
from .blazeface import DetectorError
from .copies import Copies
from .decoding import shared_decoders
from .images import ImageError
from .model_files import INSTALLED, ModelError
from .outputs import Output, OutputError, check_outputs, check_room
from .parquet import (
    ParquetReport,
    ResumeError,
    as_text,
    check_folder,
    files_done,
    is_one_file,
    is_table,
    settings,
)
from .processors import usable_processors
from .report import CsvReport, JsonReport
from .run import Networks, Run
from .sentences import IfadeError
from .sources import SUFFIXES, Found, find_files, is_video, printable
from .video import VideoError
from .workers import (
    MOST_PROCESSES,
    MOST_THREADS,
    Job,
    Photo,
    Processes,
    WorkerError,
    photos_ahead,
    photos_by_threads,
    usual_processes,
)

MAX_WORKERS = 256


def planned_outputs(
    args: argparse.Namespace, copies: tuple[Copies, ...], files: list[tuple[Path, Path]]
) -> list[Output]:
    """All files that may be written.

    Raises:
        OutputError: a name is not for what the option writes, or the options do not go together.
    """
    outputs = []
    for option, path, report in (("--json", args.json, JsonReport), ("--csv", args.csv, CsvReport)):
        if path and path.suffix.lower() in SUFFIXES:
            raise OutputError("output_named_like_source", option=option, path=path, suffix=option[2:])
        if path:
            outputs.append(Output(option, path, report.is_earlier))
    if args.resume and (args.parquet is None or is_one_file(args.parquet)):
        raise OutputError("resume_needs_parts")
    if args.resume and (args.json or args.csv):
        raise OutputError("resume_alone")
    if args.parquet:
        if importlib.util.find_spec("pyarrow") is None:
            raise OutputError("parquet_missing")
        if args.parquet.suffix.lower() in (*SUFFIXES, ".csv", ".json") and not args.parquet.is_dir():
            raise OutputError("parquet_named_like_other", path=args.parquet)
        if is_one_file(args.parquet):
            outputs.append(Output("--parquet", args.parquet, lambda head: is_table(args.parquet)))
        else:
            check_folder(args.parquet, args.resume)
    for kind in copies:
        outputs += kind.outputs(files)
    return outputs


def without_done(found: Found, folder: Path, asked: dict) -> int:
    """Take out of `found` what a folder's parts have rows of; gives how many that are.

    Raises:
        ResumeError: the parts are not of such a run.
    """
    done = files_done(folder, asked)
    files = [entry for entry in found.files if as_text(str(entry[0])) not in done]
    unread = [entry for entry in found.unread if as_text(str(entry[0])) not in done]
    skipped = len(found.files) + len(found.unread) - len(files) - len(unread)
    if done and not skipped:
        raise ResumeError("resume_other_names", count=len(done), path=folder)
    found.files, found.unread = files, unread
    return skipped


def cannot_write(error: OSError) -> str:
    """One line on what could not be written and why."""
    path = printable(str(error.filename or "the results").removeprefix("file:"))  # FFmpeg's way to name a file
    return f"error: cannot write {path}: {error.strerror}. What was written before is complete; free or name another place."


def rate(text: str) -> float:
    """Frames a second, at least one: with fewer nobody is the same from one to the next."""
    value = float(text)
    if not 1 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"{text} is not from 1 to 1000 frames a second")
    return value


def worker_count(text: str) -> int:
    """Processes for the photos."""
    value = int(text)
    if not 1 <= value <= MAX_WORKERS:
        raise argparse.ArgumentTypeError(f"{text} is not from 1 to {MAX_WORKERS} processes")
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


def build_parser() -> argparse.ArgumentParser:
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
        "--parquet",
        type=named_path,
        metavar="FILE.parquet|DIR",
        help="write the same table as Parquet, in one file or, into a folder, in parts",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with the parts of --parquet DIR: what they have is not done again"
    )
    parser.add_argument(
        "--annotate",
        type=named_path,
        metavar="DIR|FILE.mp4",
        help="write copies with numbered boxes; of one video, FILE.mp4",
    )
    parser.add_argument(
        "--blur",
        type=named_path,
        metavar="DIR|FILE.mp4",
        help="write copies in which every face is blurred until none is found any more; of one video, FILE.mp4",
    )
    parser.add_argument(
        "--rate",
        type=rate,
        default=video.RATE,
        metavar="N",
        help="video frames a second to analyse (default: %(default)g)",
    )
    parser.add_argument(
        "--workers",
        type=worker_count,
        metavar="N",
        help="analyse photos by so many processes at once (default: of many photos as many as there are processors and memory for, "
        f"up to {MOST_PROCESSES}; of a few, or on a GPU, threads of one process); the order of what is written stays",
    )
    return parser


def main() -> int:
    parser = build_parser()
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
    places = (("annotated", args.annotate), ("blurred", args.blur))
    copies = tuple(Copies(kind, place) for kind, place in places if place)
    asked = settings(args.age_gender, args.rate)
    try:
        check_outputs(planned_outputs(args, copies, found.files), [path for path, _ in found.files])
        skipped = without_done(found, args.parquet, asked) if args.resume else 0
    except (OutputError, ResumeError) as error:
        parser.error(printable(str(error)))
    except OSError as error:
        print(cannot_write(error), file=sys.stderr)
        return 1
    if skipped:
        print(f"{skipped} of {skipped + len(found.files) + len(found.unread)} files are done already.", file=sys.stderr)
    videos = [path for path, _ in found.files if is_video(path)]
    photos = len(found.files) - len(videos)
    workers = args.workers or usual_processes(photos)
    if not workers:
        shared_decoders.warm()  # it starts while the networks are opened
    threads = min(usable_processors(), MOST_THREADS, max(photos, 1))
    try:
        with contextlib.ExitStack() as stack:
            processes = stack.enter_context(Processes(workers)) if workers else None
            # Several photos at once need one thread each for the networks; a video's decoding and following take half the processors.
            half = max(usable_processors() // 2, 1)
            networks = Networks(half if videos else None if threads == 1 else 1, bool(videos))
            if videos:
                cv2.setNumThreads(half)
            # Here, before anything is written, or where the photos are to be analysed.
            age_gender = processes.open_networks() if processes else networks.of_photos.estimator is not None
            if args.age_gender and not age_gender:
                raise ModelError("age_gender_missing")
            for path in filter(None, (args.json, args.csv)):
                check_room(path)
            for kind in copies:
                check_room(kind.place, kind.place.parent if kind.of_one_video else kind.place)
            if args.parquet:
                check_room(args.parquet, None if is_one_file(args.parquet) else args.parquet)
            json_report = JsonReport(args.json) if args.json else None
            tables: list[CsvReport | ParquetReport] = []
            if args.csv:
                tables.append(CsvReport(args.csv, args.decimal_comma))
            if args.parquet:
                tables.append(ParquetReport(args.parquet, asked))
            for report in filter(None, (json_report, *tables)):
                stack.callback(report.close)
            run = Run(networks, Job(args.age_gender, copies), json_report, tables, args.rate)
            return work(run, found, processes, threads)
    except (ModelError, WorkerError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(cannot_write(error), file=sys.stderr)
        return 1


def work(run: Run, found: Found, processes: Processes | None, threads: int) -> int:
    """Do what there is to do with each file, and tell it on the terminal; gives the exit status.

    Args:
        processes: for the photos; None: threads of this one.

    Raises:
        OSError: something cannot be written.
        WorkerError: nothing can be analysed.
    """
    total, failed = len(found.files) + len(found.unread), 0

    def not_read(path: Path, why: str) -> None:
        run.not_read(path, why)
        tqdm.write(f"{printable(path)}: not read: {printable(why.removeprefix(f'{path}: '))}", file=sys.stderr)

    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(tqdm(found.files, unit="file", disable=None if total > 1 else True))
        outcomes: Iterator[Photo | IfadeError | None] = itertools.repeat(None)
        paths = (path for path, _ in found.files)
        if processes:
            outcomes = stack.enter_context(contextlib.closing(photos_ahead(paths, run.job, processes)))
        elif threads > 1:
            ahead = photos_by_threads(paths, run.job, run.networks.of_photos, threads)
            outcomes = stack.enter_context(contextlib.closing(ahead))
        try:
            for path, why in found.unread:
                failed += 1
                not_read(path, why)
            for (path, name), outcome in zip(progress, outcomes):
                try:
                    line = run.file(path, name, outcome)
                except (ImageError, VideoError, DetectorError, WorkerError) as error:
                    failed += 1
                    not_read(path, str(error))
                    continue
                progress.write(f"{printable(path)}: {line}", file=sys.stdout)
                failed += bool(run.problems)
                for problem in run.problems:
                    progress.write(f"{printable(path)}: {problem}", file=sys.stderr)
        except (OSError, WorkerError):
            progress.close()
            if run.photos or run.videos:
                print(run.totals(failed), file=sys.stderr)
            raise
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
