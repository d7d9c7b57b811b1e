"""How long a video takes, and how long a camera's frames take meanwhile.

    python -m benchmarks.video [--seconds S] [--docs]

Makes a clip of 1280x720 at 30 pictures a second with two faces that move, and has it analysed at the rate that is asked for unless
one says otherwise: by the command line, and by the page, to which it is sent as a visitor's browser does. Then once more while
a visitor without a browser streams (`benchmarks.live`), whose frames are compared with those of as many seconds before. By the clock, which
tells something of idle processors alone, and in processor time with the decoder's, which holds on busy ones too.
"""

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.camera import PERIOD, RATE, jpeg, moving_faces
from benchmarks.live import WARM_UP, Client, connect, cpu_seconds, percentiles
from benchmarks.results import write_result
from benchmarks.screenshot import free_port, page_process
from benchmarks.speed import processor
from benchmarks.start import seconds as command_seconds
from inference import video
from inference.processors import usable_processors
from inference.video_writer import VideoWriter

FACES = 2
POLL = 0.1
"""Seconds between two questions how far the page is."""


def write_clip(path: Path, seconds: float) -> None:
    pictures = list(moving_faces(FACES, 1280, 720))
    with VideoWriter(path, 1280, 720) as writer:
        for number in range(round(seconds * RATE)):
            writer.write(pictures[number % PERIOD], number / RATE)


def by_command_line(clip: Path) -> dict:
    """Starting included."""
    before = os.times()
    elapsed = command_seconds("-m", "inference", str(clip), "--json", str(clip.with_suffix(".json")))
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return {"seconds": elapsed, "processor_seconds": spent}


def by_page(address: str, process: int, clip: Path) -> dict:
    """From sending it to the word that it is done."""
    post = connect(address)
    session = {"X-Session": post("session/start", b"{}")["session"]}
    begun, spent = time.perf_counter(), cpu_seconds(process)
    post("video/analyze", clip.read_bytes(), **session, **{"Content-Type": "application/octet-stream"})
    while (told := post("video/progress", b"", "GET", **session))["state"] in ("waiting", "reading"):
        spent_by_now = cpu_seconds(process)  # that of the decoder is lost with it
        time.sleep(POLL)
    if told["state"] != "done":
        raise SystemExit(f"error: the page ended a video as {told['state']}: {told['error']}")
    elapsed = time.perf_counter() - begun
    post("session/delete", b"{}", **session)
    return {"seconds": elapsed, "processor_seconds": spent_by_now - spent, "frames": told["frames"]}


def beside_live(address: str, process: int, clip: Path, seconds: float) -> Iterator[tuple[str, dict]]:
    """The latencies of a camera's frames for so many seconds, and while a video is analysed."""
    ended, camera = threading.Event(), Client()
    pictures = [jpeg(picture) for picture in moving_faces(1)]
    streaming = threading.Thread(target=camera.stream, args=(address, pictures, ended))
    streaming.start()
    try:
        time.sleep(WARM_UP)
        for name in ("alone", "beside a video"):
            camera.take()
            begun = time.perf_counter()
            told = by_page(address, process, clip) if name != "alone" else {}
            time.sleep(0 if told else seconds)
            latencies, elapsed = camera.take()[1], time.perf_counter() - begun
            yield name, {"fps": len(latencies) / elapsed, "latency_ms": percentiles(latencies), **told}
    finally:
        ended.set()
        streaming.join()


def measure(seconds: float) -> dict:
    with tempfile.TemporaryDirectory() as folder, page_process(free_port()) as (address, page):
        clip = Path(folder) / "clip.mp4"
        write_clip(clip, seconds)
        by_page(address, page.pid, clip)  # the networks are opened now
        return {
            "processor": processor(),
            "processors": usable_processors(),
            "clip_seconds": seconds,
            "faces": FACES,
            "videos": {"command line": by_command_line(clip), "page": by_page(address, page.pid, clip)},
            "live": dict(beside_live(address, page.pid, clip, seconds / 4)),
        }


def to_markdown(result: dict) -> str:
    """The figures as tables."""
    lines = [
        f"A clip of {result['clip_seconds']:g} s, 1280x720, {RATE} pictures a second with {result['faces']} faces that move, of "
        f"which {video.RATE:g} a second are analysed, on {result['processor']}, {result['processors']} cores. Written by "
        "`python -m benchmarks.video --docs`:",
        "",
        "| by | seconds | processor time (s) |",
        "|---|---|---|",
    ]
    for name, figures in result["videos"].items():
        lines.append(f"| {name} | {figures['seconds']:.1f} | {figures['processor_seconds']:.1f} |")
    lines += ["", "| a camera's frames | a second | latency p50, p95 (ms) |", "|---|---|---|"]
    for name, figures in result["live"].items():
        latency = figures["latency_ms"]
        lines.append(f"| {name} | {figures['fps']:.1f} | {latency['p50']:.0f}, {latency['p95']:.0f} |")
    return "\n".join([*lines, "", "The command line's seconds hold its start, and the page's the sending."])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.video", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="length of the clip (default: %(default)s)")
    parser.add_argument("--docs", action="store_true", help="write docs/results/video.md")
    args = parser.parse_args()
    result = measure(args.seconds)
    print(to_markdown(result))
    if args.docs:
        write_result("video", "How long a video takes", to_markdown(result), result)


if __name__ == "__main__":
    main()
