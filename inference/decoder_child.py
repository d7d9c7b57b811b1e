"""The process that decodes pictures, or one video: `inference.decoding` starts it and speaks with it by standard input and output.

It imports no more than decoding needs. What it may take the system counts, so that native code ends too.
"""

import contextlib
import json
import os
import signal
import sys
from typing import BinaryIO

from .decoding import SECONDS_A_MEGAPIXEL
from .native import open_no_sockets
from .sentences import IfadeError
from .video import FRAME_SECONDS_A_MEGAPIXEL, INDEX_MEMORY, MEMORY_A_PIXEL


def main() -> None:
    """Do what the options ask for, which are JSON and the only argument: see `DecoderProcess`."""
    options = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what native code prints is no answer
    open_no_sockets()
    if hasattr(signal, "SIGPROF"):  # which this process may have inherited as ignored or blocked
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPROF})
    # Bytes of memory and of a file that is written, open files, and nothing of the picture on a disk.
    for name, most in (("DATA", options["memory"]), ("FSIZE", options["output"]), ("NOFILE", 64), ("CORE", 0)):
        bound(name, most)
    with contextlib.suppress(BrokenPipeError):  # nobody is there any more
        if "video" in options:
            send_frames(answers, options["video"])
        else:
            answer_pictures(answers, options["shared"])


def bound(name: str, most: int) -> None:
    """Set one of the system's limits of this process, where it has that.

    Without any it is ended when it takes long, and that is all.
    """
    with contextlib.suppress(ImportError, AttributeError, ValueError, OSError):
        import resource

        number = getattr(resource, f"RLIMIT_{name}")
        resource.setrlimit(number, (most, resource.getrlimit(number)[1]))


def allow(seconds: float) -> None:
    """Have the system end this process after so much more processor time, of all its threads; 0 takes that back."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def answer(answers: BinaryIO, message: dict, pixels: memoryview | bytes = b"") -> None:
    answers.write(json.dumps(message).encode() + b"\n")
    answers.write(pixels)
    answers.flush()


def answer_pictures(answers: BinaryIO, shared: int | None) -> None:
    """For each line {"bytes", "max_pixels", "enough", "seconds"}, behind which the file stands: {"shape", "offset", "times", "size"}, or
    {"error"}. `enough`, `times` and `size` are those of `image_decoding.decode_image`. The pixels come in the file format PPM,
    behind its header of `offset` bytes, because Pillow writes that without a copy of the picture.

    Args:
        shared: file descriptor of the memory that pixels are written to; None: they stand behind the line.
    """
    from .image_decoding import ImageError, decode_image

    answer(answers, {})
    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        seconds = request["seconds"]

        def opened(pixels: int) -> None:
            allow(seconds + SECONDS_A_MEGAPIXEL * pixels / 10**6)

        allow(seconds)
        try:
            data = sys.stdin.buffer.read(request["bytes"])
            image, times, size = decode_image(data, request["max_pixels"], opened, enough=request["enough"])
        except ImageError as error:
            answer(answers, {"error": error.to_dict()})
        else:
            allow(0)
            header = len(f"P6\n{image.width} {image.height}\n255\n")
            told = {"shape": (image.height, image.width, 3), "offset": header, "times": times, "size": size}
            if shared is None:
                answer(answers, told)
                image.save(answers, "PPM")
            else:
                os.lseek(shared, 0, os.SEEK_SET)
                with open(shared, "wb", buffering=0, closefd=False) as file:
                    image.save(file, "PPM")
                answer(answers, told)
            del image, data


def send_frames(answers: BinaryIO, options: dict) -> None:
    """The frames of the video in standard input: {"width", "height", "duration"}, {"seconds"} with pixels behind it for each, and
    {"position", "incomplete"}; or {"error"}. The pipe is small, so that no more than a frame is read ahead.

    Args:
        options: of `VideoDecoder`, and "seconds" of processor time for a frame.
    """
    from .video_decoding import VideoDecoder, VideoError

    seconds = options.pop("seconds")

    def opened(pixels: int) -> None:
        nonlocal seconds
        seconds += FRAME_SECONDS_A_MEGAPIXEL * pixels / 10**6
        allow(seconds)
        bound("DATA", INDEX_MEMORY + MEMORY_A_PIXEL * pixels)

    answer(answers, {})
    allow(seconds)
    try:
        video = VideoDecoder(open(0, "rb", buffering=0, closefd=False), opened=opened, **options)
    except VideoError as error:
        answer(answers, {"error": error.to_dict()})
        return
    answer(answers, {"width": video.width, "height": video.height, "duration": video.duration})
    for frame in video:
        allow(0)
        answer(answers, {"seconds": frame.seconds}, frame.image.data.cast("B"))
        allow(seconds)
    incomplete: IfadeError | None = video.incomplete
    answer(answers, {"position": video.position, "incomplete": incomplete and incomplete.to_dict()})
