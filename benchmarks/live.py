"""How fast the Live tab is, for everybody who looks at it.

    python -m benchmarks.live --viewers N --seconds S [--kbit K --delay-ms D] --json FILE
    python -m benchmarks.live --clients N --seconds S [--faces 6] --json FILE
    python -m benchmarks.live --frames N [--faces 6] --json FILE
    python -m benchmarks.live --docs FILE ...

The first starts the page and N headless Chromium tabs, each in a context of its own, whose camera is the example
photograph moved about (640x480, 30 frames a second), and measures after WARM_UP seconds: `fps` (analysed frames a second, one
number a viewer), `latency_ms` (from taking a picture in the browser to having its answer there: p50, p95, max) and
`server_rss_mb` (start, end). With --kbit, each viewer has a line of K kbit/s in each direction, shared by all its connections,
which takes D milliseconds for a round trip besides, half of them each way; the page itself is loaded before the line becomes
narrow.

The second has N visitors without a browser, who send the same frames by the same requests, each the next when the answer to the
last has come and the camera has a new one. It tells what the server can do where its visitors have processors of their own.

The third posts N frames one after another, and measures the processor time that the server and its decoders take for a frame,
HTTP included, and the server's memory; the frames' times are 40 ms apart, as at 25 a second. The page is started on one processor
where the system can do that, so that a millisecond is one of one thread.

The fourth writes docs/results/live.md from such files. Nothing else should be running.
"""

import argparse
import asyncio
import contextlib
import http.client
import itertools
import json
import math
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from benchmarks.camera import GRIDS, RATE, camera_arguments, jpeg, moving_faces, write_video
from benchmarks.results import write_result
from benchmarks.screenshot import CHROMIUM_ARGUMENTS, find_chromium, free_port, page_process
from benchmarks.speed import processor
from benchmarks.start import descendants
from inference.processors import usable_processors

WARM_UP = 5.0
"""The first seconds of streaming are not counted."""
WARM_UP_FRAMES = 200
"""The first frames of the run without a browser are not counted."""
PACKET = 1460
"""Bytes that occupy a narrow line at a time, those of a TCP segment in Ethernet."""
FRAME_SECONDS = 0.04


class Line:
    """A line of some kbit/s in each direction, whose far end is the page; the browser's end is at `address`.

    Every packet of every connection waits in one queue a direction until those before it have passed, and arrives half
    a round trip later. Until `narrow` is set, the line is as fast as the machine.
    """

    def __init__(self, far: str, kbit: float, delay_ms: float):
        self.narrow = False
        self.address = ""
        self._host, self._port = urlsplit(far).hostname, urlsplit(far).port
        self._bytes_per_second, self._delay = kbit * 1000 / 8, delay_ms / 2000
        self._free = [0.0, 0.0]

    async def open(self) -> None:
        """Listen."""
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        await asyncio.gather(self._carry(reader, far_writer, 0), self._carry(far_reader, writer, 1))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: int) -> None:
        packets: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        arrival = asyncio.create_task(_deliver(packets, writer))
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(PACKET):
                await packets.put((await self._pass(len(data), direction), data))
        await packets.put((0.0, b""))
        await arrival

    async def _pass(self, size: int, direction: int) -> float:
        """Wait until so many bytes are on their way; when they arrive."""
        now = asyncio.get_running_loop().time()
        if not self.narrow:
            return now
        self._free[direction] = max(self._free[direction], now) + size / self._bytes_per_second
        await asyncio.sleep(self._free[direction] - now)
        return self._free[direction] + self._delay


async def _deliver(packets: asyncio.Queue, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            arrival, data = await packets.get()
            if not data:
                break
            await asyncio.sleep(max(0.0, arrival - asyncio.get_running_loop().time()))
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.contextmanager
def lines(count: int, far: str, kbit: float, delay_ms: float) -> Iterator[list[Line]]:
    """So many lines to the page, served by a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    all_lines = [Line(far, kbit, delay_ms) for _ in range(count)]
    for line in all_lines:
        asyncio.run_coroutine_threadsafe(line.open(), loop).result(10)
    try:
        yield all_lines
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def measure_viewers(viewers: int, seconds: float, kbit: float | None, delay_ms: float) -> dict:
    """Stream from so many tabs."""
    from playwright.sync_api import sync_playwright

    chromium = find_chromium()
    if chromium is None:
        raise SystemExit("error: no Chromium found: install it, or name it in CHROMIUM.")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_video(folder / "camera.y4m", moving_faces(1))
        address, server = stack.enter_context(page_process(free_port()))
        addresses, narrow = [address] * viewers, []
        if kbit:
            narrow = stack.enter_context(lines(viewers, address, kbit, delay_ms))
            addresses = [line.address for line in narrow]
        playwright = stack.enter_context(sync_playwright())
        arguments = [*CHROMIUM_ARGUMENTS, *camera_arguments(folder / "camera.y4m")]
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        stack.callback(browser.close)
        pages = [browser.new_context(permissions=["camera"]).new_page() for _ in range(viewers)]
        for page, own_address in zip(pages, addresses):
            page.goto(own_address, timeout=120_000)
            page.get_by_role("tab", name="Live").click()
            page.wait_for_selector(".ifade-start")
            page.wait_for_load_state("networkidle")
        for line in narrow:
            line.narrow = True
        for page in pages:
            page.click(".ifade-start")
        time.sleep(WARM_UP)
        return _watch(lambda: [page.evaluate(TAKE) for page in pages], seconds, server.pid)


class Refused(Exception):
    """The page said why it does not answer."""


def connect(address: str) -> Callable:
    """A connection to the page, as a function: post(path, body, method, **headers) gives the answer, or raises Refused."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)

    def post(path: str, body: bytes, method: str = "POST", **headers: str) -> dict:
        connection.request(method, f"/{path}", body, headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        if response.status != 200:
            raise Refused(f"{path}: {answer['error']}")
        return answer

    return post


TAKE = "() => [performance.now() / 1000, ifadeLive.take(), ifadeLive.side, ifadeLive.failed]"


@dataclass
class Client:
    """A visitor without a browser.

    Attributes:
        latencies: milliseconds from sending a picture to having its answer, of those that nobody took yet.
        failed: pictures that were not answered.
    """

    latencies: list[float] = field(default_factory=list)
    failed: int = 0

    def take(self) -> list:
        """What a page gives for `TAKE`."""
        latencies, self.latencies = self.latencies, []
        return [time.perf_counter(), latencies, 640, self.failed]

    def stream(self, address: str, pictures: list[bytes], ended: threading.Event) -> None:
        """Be a camera of RATE pictures a second until it has ended."""
        post = connect(address)
        headers = {"X-Camera": "640x480", "X-Session": post("session/start", b"{}")["session"]}
        begun, number = time.perf_counter(), 0
        while not ended.is_set():
            # The camera's next picture; those that came meanwhile are not sent.
            number = max(number + 1, math.floor((time.perf_counter() - begun) * RATE))
            time.sleep(max(0.0, begun + number / RATE - time.perf_counter()))
            sent = time.perf_counter()
            try:
                post("live/frame", pictures[number % len(pictures)], **headers, **{"X-Seconds": str(time.time())})
                self.latencies.append((time.perf_counter() - sent) * 1e3)
            except (OSError, http.client.HTTPException, Refused):
                self.failed += 1


def measure_clients(clients: int, seconds: float, faces: int) -> dict:
    """Send the camera's frames from so many visitors without a browser."""
    pictures = [jpeg(frame) for frame in moving_faces(faces)]
    ended, visitors = threading.Event(), [Client() for _ in range(clients)]
    with page_process(free_port()) as (address, server), ThreadPoolExecutor(clients) as pool:
        streams = [pool.submit(visitor.stream, address, pictures, ended) for visitor in visitors]
        try:
            time.sleep(WARM_UP)
            result = _watch(lambda: [visitor.take() for visitor in visitors], seconds, server.pid)
        finally:
            ended.set()
        for stream in streams:
            stream.result()
        return result


def _watch(take: Callable[[], list], seconds: float, server: int) -> dict:
    """Collect what the visitors measure."""
    begun = take()
    start, cpu, visitors_cpu = _rss_mb(server), cpu_seconds(server), cpu_seconds(os.getpid())
    frames: list[list[list[float]]] = [[] for _ in begun]  # by viewer and by second
    started = time.perf_counter()
    while (left := started + seconds - time.perf_counter()) > 0:
        time.sleep(min(1.0, left))
        ended = take()
        for taken, (_, latencies, _, _) in zip(frames, ended):
            taken.append(latencies)
    cpu, visitors_cpu = cpu_seconds(server) - cpu, cpu_seconds(os.getpid()) - visitors_cpu
    everything = [latency for taken in frames for part in taken for latency in part]
    windows = [last[0] - first[0] for first, last in zip(begun, ended)]
    half = len(frames[0]) // 2
    return {
        "processor": processor(),
        "processors": usable_processors(),
        "fps": [round(sum(map(len, taken)) / window, 2) for taken, window in zip(frames, windows)],
        "latency_ms": percentiles(everything),
        "latency_by_viewer_ms": [percentiles(sum(taken, [])) for taken in frames],
        "first_half_p50_ms": [percentiles(sum(taken[:half], []))["p50"] for taken in frames],
        "second_half_p50_ms": [percentiles(sum(taken[half:], []))["p50"] for taken in frames],
        "frames": len(everything),
        "failed": sum(last[3] - first[3] for first, last in zip(begun, ended)),
        "longest_side": [round(last[2]) for last in ended],
        "server_cpu_ms_per_frame": round(cpu * 1e3 / max(len(everything), 1), 2),
        "visitors_cpu_ms_per_frame": round((visitors_cpu - cpu) * 1e3 / max(len(everything), 1), 2),
        "server_rss_mb": {"start": start, "end": _rss_mb(server)},
    }


def percentiles(latencies: list[float]) -> dict:
    if not latencies:
        return {"p50": None, "p95": None, "max": None}
    p50, p95, most = np.percentile(latencies, [50, 95, 100])
    return {"p50": round(float(p50), 1), "p95": round(float(p95), 1), "max": round(float(most), 1)}


def measure_frames(frames: int, faces: int) -> dict:
    """Post so many frames."""
    pictures = [jpeg(frame) for frame in moving_faces(faces)]
    with page_process(free_port()) as (address, server):
        if hasattr(os, "sched_setaffinity"):
            threads = [os.listdir(f"/proc/{number}/task") for number in (server.pid, *descendants(server.pid))]
            for thread in itertools.chain.from_iterable(threads):
                os.sched_setaffinity(int(thread), {max(os.sched_getaffinity(0))})
        post = connect(address)
        token, seen, milliseconds = post("session/start", b"{}")["session"], [], []
        for number in range(WARM_UP_FRAMES + frames):
            if number == WARM_UP_FRAMES:
                start, cpu = _rss_mb(server.pid), cpu_seconds(server.pid)
            moment = {"X-Seconds": str(1e9 + number * FRAME_SECONDS), "X-Camera": "640x480", "X-Session": token}
            answer = post("live/frame", pictures[number % len(pictures)], **moment)
            if number >= WARM_UP_FRAMES:
                seen.append(len(answer["people"]))
                milliseconds.append(answer["milliseconds"])
        return {
            "processor": processor(),
            "processors": usable_processors(),
            "frames": frames,
            "frame_bytes": round(float(np.mean([len(picture) for picture in pictures]))),
            "faces_found": round(float(np.mean(seen)), 3),
            "analysis_wall_ms": percentiles(milliseconds),
            "server_cpu_ms_per_frame": round((cpu_seconds(server.pid) - cpu) * 1e3 / frames, 2),
            "server_rss_mb": {"start": start, "end": _rss_mb(server.pid)},
        }


def to_markdown(results: list[dict]) -> str:
    """The tables of all results: those with viewers first, then the frames one after another."""
    names = ", ".join(sorted({f"{result['processor']}, {result['processors']} cores" for result in results}))
    lines = [
        f"A fake camera shows the example photograph moved about, on {names}. With viewers, Chromium runs on the same processor. A frame's latency counts from taking the picture in "
        "the browser to having its answer there.",
        "",
        "| viewers | line of each | seconds | frames a second, each viewer | latency p50, p95, max (ms) | p50 of the first and the "
        "second half | failed | server's memory (MB) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        if "fps" not in result:
            continue
        kbit, who = result.get("kbit"), result.get("viewers") or f"{result['clients']} without a browser"
        line = f"{kbit:g} kbit/s, {result['delay_ms']:g} ms round trip" if kbit else "this machine"
        halves = " and ".join(f"{np.median(result[half]):.0f}" for half in ("first_half_p50_ms", "second_half_p50_ms"))
        lines.append(
            f"| {who} | {line} | {result['seconds']:g} | {_range(result['fps'])} | "
            f"{', '.join(f'{value:.0f}' for value in result['latency_ms'].values())} | {halves} | {result['failed']} | "
            f"{_growth(result)} |"
        )
    lines += [
        "",
        "| faces in a frame of 640x480 | frames | the server's processor time a frame (ms) | analysis p50, p95 (ms) | "
        "server's memory (MB) |",
        "|---|---|---|---|---|",
    ]
    for result in results:
        if "fps" not in result:
            wall = result["analysis_wall_ms"]
            lines.append(
                f"| {result['faces']} | {result['frames']:,} | {result['server_cpu_ms_per_frame']:.1f} | "
                f"{wall['p50']:.1f}, {wall['p95']:.1f} | {_growth(result)} |"
            )
    lines += [
        "",
        f"A narrow line is shared by all connections of a viewer and narrow from the moment the camera starts; the first "
        f"{WARM_UP:g} seconds are not counted. Processor time is that of the server and its decoders: HTTP, decoding, tracking and "
        "the curve included. Written by `python -m benchmarks.live --docs FILE ...` from the --json files of runs of the same command.",
    ]
    return "\n".join(lines)


def _range(values: list[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:.1f}" if len(values) == 1 else f"{low:.1f} to {high:.1f}"


def _growth(result: dict) -> str:
    return f"{result['server_rss_mb']['start']:.0f} to {result['server_rss_mb']['end']:.0f}"


def _rss_mb(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return round(int(status.split("VmRSS:")[1].split()[0]) / 1024, 1)


def cpu_seconds(process: int) -> float:
    """Of a process and of those that it started."""
    ticks = 0
    for number in [process, *descendants(process)]:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live", description="How fast the Live tab is.")
    parser.add_argument("--viewers", type=int, help="tabs that stream")
    parser.add_argument("--clients", type=int, help="visitors without a browser")
    parser.add_argument("--seconds", type=float, default=60, help="for how long, after the warm-up")
    parser.add_argument("--kbit", type=float, help="each viewer's line, kbit/s in each direction; default: no limit")
    parser.add_argument("--delay-ms", type=float, default=0, help="what a round trip takes besides")
    parser.add_argument("--frames", type=int, help="frames to post without a browser")
    parser.add_argument("--faces", type=int, default=1, choices=GRIDS, help="faces in each of them")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the result")
    parser.add_argument("--docs", type=Path, nargs="+", metavar="FILE", help="write docs/results/live.md from results")
    args = parser.parse_args()
    if args.docs:
        results = [json.loads(file.read_text()) for file in args.docs]
        write_result("live", "The Live tab, and everybody who looks at it", to_markdown(results), results)
        return
    if (args.viewers, args.clients, args.frames).count(None) != 2:
        parser.error("give --viewers, --clients or --frames")
    if args.delay_ms and not args.kbit:
        parser.error("--delay-ms needs --kbit")
    if args.viewers:
        asked = {"viewers": args.viewers, "seconds": args.seconds, "kbit": args.kbit, "delay_ms": args.delay_ms}
        result = asked | measure_viewers(**asked)
    elif args.clients:
        asked = {"clients": args.clients, "seconds": args.seconds, "faces": args.faces}
        result = asked | measure_clients(**asked)
    else:
        result = {"faces": args.faces} | measure_frames(args.frames, args.faces)
    text = json.dumps(result, indent=2)
    print(text)
    if args.json:
        args.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
