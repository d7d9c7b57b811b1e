"""Emotions of all faces in photos, from the command line.

python -m inference PHOTO_OR_FOLDER... [--json FILE] [--csv FILE] [--annotate DIR]
"""

import argparse
import contextlib
import sys
from pathlib import Path

from inference.system_libraries import require_system_libraries

require_system_libraries()

from PIL import Image
from tqdm import tqdm

from inference.analyzer import FaceAnalyzer
from inference.drawing import annotate
from inference.images import SUFFIXES, ImageError, load_image
from inference.model_files import ModelError
from inference.report import CsvReport, JsonReport
from inference.types import Analysis


def find_photos(sources: list[Path]) -> list[tuple[Path, Path]]:
    """Every photo as (path, name for its annotated copy): files themselves, and what folders hold at any depth.

    Names are relative to their folder and differ from one another, so that no copy overwrites another.
    """
    photos: list[tuple[Path, Path]] = []
    taken: set[Path] = set()
    for source in sources:
        if source.is_dir():
            files = sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        else:
            files = [source]
        for file in files:
            name = Path(source.resolve().name, file.relative_to(source)) if source.is_dir() else Path(source.name)
            name = name if name.suffix == ".jpg" else Path(f"{name}.jpg")
            stem, count = name.stem, 1
            while name in taken:
                count += 1
                name = name.with_stem(f"{stem}_{count}")
            taken.add(name)
            photos.append((file, name))
    return photos


def summary(result: Analysis) -> str:
    """One line for the terminal."""
    faces = [
        f"{number} {face.shown} {face.consensus.max():.0%}{'' if face.sure else ' (not sure)'}"
        for number, face in enumerate(result.faces, 1)
    ]
    return ", ".join(faces) or "no face found"


def save_annotated(result: Analysis, image, path: Path) -> None:
    """Write the picture with its boxes as JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(annotate(image, result.faces)).save(path, "JPEG", quality=92)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m inference",
        description="Find all faces in photos and give the seven emotion probabilities of each.",
        epilog="Exit status: 0 all photos were read, 1 some were not, 2 wrong usage, 130 interrupted.",
    )
    parser.add_argument("sources", nargs="+", type=Path, metavar="PHOTO_OR_FOLDER")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write one object a photo")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write one row a face")
    parser.add_argument("--annotate", type=Path, metavar="DIR", help="write copies with numbered boxes")
    args = parser.parse_args()
    photos = find_photos(args.sources)
    if not photos:
        print(f"error: no photo in {', '.join(map(str, args.sources))} ({', '.join(SUFFIXES)})", file=sys.stderr)
        return 1
    failed = 0
    with contextlib.ExitStack() as stack:
        try:
            analyzer = FaceAnalyzer()
            reports = [kind(path) for kind, path in ((JsonReport, args.json), (CsvReport, args.csv)) if path]
        except (ModelError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        for report in reports:
            stack.callback(report.close)
        progress = stack.enter_context(tqdm(photos, unit="photo", disable=None if len(photos) > 1 else True))
        try:
            for path, name in progress:
                try:
                    image = load_image(path)
                    result = analyzer.analyze(image)
                    if args.annotate:
                        save_annotated(result, image, args.annotate / name)
                    line = f"{path}: {summary(result)}"
                except ImageError as error:
                    failed += 1
                    result, line = error, f"{path}: not read: {str(error).removeprefix(f'{path}: ')}"
                for report in reports:
                    report.add(str(path), result)
                progress.write(line, file=sys.stderr if isinstance(result, Exception) else sys.stdout)
        except OSError as error:
            print(f"error: cannot write {error.filename or 'the results'}: {error.strerror}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nInterrupted; what was written so far is complete.", file=sys.stderr)
            return 130
    if failed:
        print(f"{failed} of {len(photos)} photos could not be read", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
