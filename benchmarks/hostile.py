"""Clients that mean harm: what `benchmarks.load` sends, as random requests and as attacks that go on for a while.

    python -m benchmarks.hostile ATTACK PORT SECONDS

runs one of ATTACKS against a page on this machine, as the visitor STRANGER of a proxy (IFADE_PROXIES=1).
"""

import asyncio
import contextlib
import itertools
import json
import random
import socket
import struct
import subprocess
import sys
import time
from io import BytesIO

from PIL import Image

FILE = {"_type": "gradio.FileData"}
LIFE_SECONDS = 3.0
"""After which a client that vanishes is killed."""
STRANGER = "203.0.113.66"
"""Who the attacks come from; a documentation address."""


def raw(method: str, path: str, body: bytes = b"", length: int | None = None, **headers: str) -> bytes:
    """An HTTP request, byte for byte; `length` is what it says of its body, None for the truth."""
    lines = {"Host": "page", "Content-Length": str(len(body) if length is None else length), "Connection": "close"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1", "replace") + body


MULTIPART = "multipart/form-data; boundary=x"


def multipart(data: bytes, name: str = "photo.jpg") -> bytes:
    """The body of an upload."""
    head = f'--x\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    return head.encode("utf-8", "surrogatepass") + data + b"\r\n--x--\r\n"


VANISHING = """
import json, socket, sys, time
address, requests = json.load(sys.stdin)
held = []
for request in requests:
    held.append(socket.create_connection(address))
    held[-1].sendall(bytes.fromhex(request))
print("sent", flush=True)
time.sleep(600)
"""
"""A client that sends what it is given, reads nothing, and is killed."""


async def vanish_again_and_again(address: tuple[str, int], photo: bytes, token: str, until: float) -> int:
    """Kill clients in the middle of their requests; how many."""
    upload, frame = multipart(photo), {"X_Session": token, "X_Camera": "640x480"}
    whole = json.dumps({"data": [None]}).encode()
    requests = [
        raw("POST", "/gradio_api/upload", upload[: len(upload) // 2], len(upload), Content_Type=MULTIPART),
        raw("POST", "/gradio_api/upload", upload, Content_Type=MULTIPART),
        raw("POST", "/gradio_api/call/analyze", whole[:9], len(whole), Content_Type="application/json"),
        raw("POST", "/gradio_api/call/analyze", whole, Content_Type="application/json"),
        raw("POST", "/analyze", photo[:5000], len(photo)),
        raw("POST", "/analyze", photo),
        raw("POST", "/live/frame", photo[:5000], len(photo), X_Seconds=str(time.time()), **frame),
        raw("POST", "/live/frame", photo, None, X_Seconds=str(time.time()), **frame),
        raw("POST", "/video/analyze", bytes(10_000), 10_000_000, X_Session=token),
        raw("GET", "/"),
    ]
    count = 0
    while time.monotonic() < until:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-SE", "-c", VANISHING), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        process.stdin.write(json.dumps([address, [request.hex() for request in requests]]).encode())
        process.stdin.close()
        await process.stdout.readline()
        await asyncio.sleep(random.Random(count).uniform(0, LIFE_SECONDS))
        process.kill()
        await process.wait()
        count += 1
    return count


async def dawdle(address: tuple[str, int], request: bytes, reads: bool, until: float, cut: list[float]) -> None:
    """Send a request a byte a second, or send it whole and read a byte a second, again and again; note after how many
    seconds the page put an end to it."""
    while time.monotonic() < until:
        started = time.monotonic()
        with socket.socket() as connection:
            connection.setblocking(False)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            loop = asyncio.get_running_loop()
            try:
                await loop.sock_connect(connection, address)
                if reads:
                    await loop.sock_sendall(connection, request)
                else:
                    head, _, request_body = request.partition(b"\r\n\r\n")
                    await loop.sock_sendall(connection, head + b"\r\n\r\n")
                for position in itertools.count():
                    if time.monotonic() > until:
                        return
                    if not reads:
                        await loop.sock_sendall(connection, request_body[position : position + 1])
                    try:
                        ended = not await asyncio.wait_for(loop.sock_recv(connection, 1 if reads else 4096), 1)
                        if not reads or ended:  # an answer before the body is whole ends it too
                            break
                        await asyncio.sleep(1)
                    except TimeoutError:
                        pass
            except OSError:
                pass
        cut.append(round(time.monotonic() - started, 1))


GET = """
/ /config /theme.css /manifest.json /monitoring /health /{word} /static/{word} /assets/{word} /svelte/{word}
/gradio_api/info /gradio_api/openapi.json /gradio_api/app_id /gradio_api/token /gradio_api/startup-events
/gradio_api/heartbeat/{word} /gradio_api/queue/status /gradio_api/queue/data?session_hash={word}
/gradio_api/call/analyze/{word} /gradio_api/call/v2/analyze/{word} /gradio_api/upload_progress?upload_id={word}
/gradio_api/file={word} /gradio_api/file/{word} /gradio_api/proxy={word} /gradio_api/deep_link?session_hash={word}
/gradio_api/stream/{word}/{word}/{word}/playlist.m3u8 /gradio_api/custom_component/{word}/client/component/{word}
/gradio_api/dev/reload /session/curve /session/report.json /session/report.csv /session/report.png
/session/frames.json /video/progress
""".split()
POST = """
/gradio_api/queue/join /gradio_api/call/analyze /gradio_api/call/{word} /gradio_api/call/v2/analyze /gradio_api/run/analyze
/gradio_api/run/{word} /gradio_api/api/predict /gradio_api/cancel /gradio_api/reset /gradio_api/upload
/gradio_api/component_server /gradio_api/process_recording /gradio_api/stream/{word} /gradio_api/run-history/connect
/gradio_api/vibe-edit /session/start /live/frame /session/mark /session/weights /session/baseline /session/leave /session/delete
/analyze /video/analyze /video/stop
""".split()
ADDRESSES = [("GET", path) for path in GET] + [("POST", path) for path in POST]
"""Every address of the page with its method, and some that it should not have."""
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "get")
WORDS = (
    r"""
x analyze 0 -1 ../../../etc/passwd ..%2f..%2f..%2fetc%2fpasswd %2e%2e/%2e%2e/app.py ....// \..\..\x nul /etc/passwd //etc/passwd
/proc/self/environ /proc/self/fd/0 app.py models/emotion.onnx .git/config file:/// http://127.0.0.1:1/ data:text/html,x %00 %
http://169.254.169.254/latest/ %ff%fe %zz <script>alert(1)</script> ${7*7} {{7*7}} '%20OR%201=1 %0d%0aSet-Cookie:x
""".split()
    + ["a" * 4000]
)
HEADERS = (
    ("Content-Type", ("application/json", MULTIPART, "multipart/form-data", "text/plain", "", "x" * 3000)),
    ("Content-Length", ("-1", "0", "99999999999999", "1e3", "0x10", "abc")),
    ("Transfer-Encoding", ("chunked", "gzip", "identity, chunked")),
    ("Host", ("", "evil.example", "a b", "[::1", "x" * 3000)),
    ("Origin", ("https://evil.example", "null", "http://localhost:1")),
    ("Cookie", ("a=b; " * 500, "access-token=../../x", "\xff")),
    ("Range", ("bytes=0-0", "bytes=-1", "bytes=9-1", "bytes=a-b", "bytes=0-99999999999", "x")),
    ("Accept-Encoding", ("br;q=a", "*", "gzip" * 500)),
    ("X-Session", ("x", "", "\xe4" * 50, "a" * 5000)),
    ("X-Seconds", ("nan", "inf", "-1", "1e308", "x")),
    ("X-Camera", ("0x0", "-1x5", "99999x99999", "x", "\xb2x\xb2")),
    ("X-Rate", ("nan", "inf", "-1", "x")),
    ("X-Forwarded-Host", ("evil.example", "a/b", "x, y", "")),
    ("X-Forwarded-Proto", ("javascript", "https,http", "")),
    ("X-Gradio-User", ("app", "x")),
    ("Referer", ("https://evil.example/../", "::", "http://[")),
    ("Expect", ("100-continue", "x")),
    ("Upgrade", ("websocket", "h2c")),
    ("Authorization", ("Basic ====", "Bearer x")),
)
VALUES: tuple = (
    None,
    True,
    -1,
    0,
    2**70,
    1e308,
    "",
    "x",
    "\ud800",
    "\0",
    [],
    {},
    [[]],
    {"": {}},
    "x" * 20_000,
    float("nan"),
)


def templates() -> list:
    """Bodies that the page understands, or nearly: what is changed at random."""
    data_url = "data:image/jpeg;base64,/9j/AAAA"
    return [
        {"data": [{"path": "/tmp/gradio/x/photo.jpg", "meta": FILE}], "session_hash": "hostile"},
        {"data": [{"path": "https://127.0.0.1:1/x.jpg", "url": "https://127.0.0.1:1/x.jpg", "meta": FILE}, True]},
        {"data": [{"url": data_url}, False], "fn_index": 0, "session_hash": "hostile", "trigger_id": 1},
        {"data": [None, False], "fn_index": 0, "session_hash": "hostile", "event_data": {}},
        {"photo": {"path": data_url, "meta": FILE}, "age_gender": False},
        {"session_hash": "hostile", "fn_index": 0, "event_id": "x"},
        {"data": {}, "component_id": 1, "session_hash": "hostile", "fn_name": "preprocess"},
        {"resume": "x"},
        {"session": "x"},
        {"label": "x", "seconds": 1},
        {"weights": {"happy": 1}},
        {"on": True},
    ]


def mutate(value, rng: random.Random):
    """A JSON value with a random change somewhere."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = rng.choice(list(value))
        changed = {name: mutate(part, rng) if name == key else part for name, part in value.items()}
        if rng.random() < 0.15:
            changed[rng.choice(("__proto__", "path", "url", "meta", "_type", "", "x" * 300))] = rng.choice(VALUES)
        return {name: part for name, part in changed.items() if name != key} if rng.random() < 0.15 else changed
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = rng.randrange(len(value))
        return value[:place] + [mutate(value[place], rng)] * rng.choice((0, 1, 1, 1, 2, 50)) + value[place + 1 :]
    return rng.choice(VALUES)


def hostile_body(rng: random.Random, photo: bytes) -> tuple[bytes, str]:
    """A body and the content type that belongs to it."""
    kind = rng.random()
    if kind < 0.5:
        text = json.dumps(mutate(rng.choice(templates()), rng)).encode()
        return text, "application/json"
    if kind < 0.6:
        text = json.dumps(rng.choice(templates())).encode()
        place = rng.randrange(len(text))
        return text[:place] + rng.choice((b"", b"\0", b"\xff", b"}", b"[" * 5000)) + text[
            place + 1 :
        ], "application/json"
    if kind < 0.65:
        deep = rng.choice((50, 5000, 100_000))
        return rng.choice((b"[" * deep, b'{"data":' * deep, b'{"data":[' + b"1," * deep + b"1]}")), "application/json"
    if kind < 0.7:
        return b'{"data": ["' + b"A" * rng.choice((10**5, 10**6, 5 * 10**6)) + b'"]}', "application/json"
    if kind < 0.9:
        changed = bytearray(photo)
        for _ in range(rng.randrange(20)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        if rng.random() < 0.5:
            return bytes(changed[: rng.randrange(len(changed))]), "image/jpeg"
        body = multipart(
            bytes(changed), rng.choice(("photo.jpg", "../../x", "", "\0", "x" * 5000, "\u202egpj.exe", "a/b"))
        )
        return body[: rng.choice((len(body), rng.randrange(len(body))))], MULTIPART
    return rng.randbytes(rng.choice((0, 1, 100, 5000))), "application/octet-stream"


def hostile_request(rng: random.Random, photo: bytes) -> tuple[bytes, bool]:
    """A request, and whether it is so malformed that closing the connection is an answer."""
    method, path = rng.choice(ADDRESSES)
    path = path.replace("{word}", rng.choice(WORDS))
    body, content_type = hostile_body(rng, photo) if method == "POST" or rng.random() < 0.1 else (b"", "")
    if rng.random() < 0.1:
        method = rng.choice(METHODS)
    if rng.random() < 0.1:
        path += rng.choice(
            ("?", "?a", "?__theme=x&view=y", "?session_hash=hostile&" + "a=b&" * 500, "/", "//", ";x", "#x")
        )
    headers = {"Content-Type": content_type} if content_type else {}
    malformed = False
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        name, values = rng.choice(HEADERS)
        headers[name] = rng.choice(values)
        malformed |= name in ("Content-Length", "Transfer-Encoding", "Upgrade", "Host", "Expect")
    request = raw(method, path, body, None, **headers)
    if rng.random() < 0.05:  # not even HTTP
        place = rng.randrange(min(len(request), 200))
        request = request[:place] + rng.choice((b"\r\n", b"\0", b" ", b"\xff" * 9, b"")) + request[place + 1 :]
        malformed = True
    return request, malformed


# Attacks


async def exchange(port: int, request: bytes, seconds: float = 60) -> int:
    """Send a request of the stranger's; the status of the answer, or 0 where there is none."""
    request = request.replace(b"\r\n", f"\r\nX-Forwarded-For: {STRANGER}\r\n".encode(), 1)
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.closing(writer):
                writer.write(request)
                with contextlib.suppress(ConnectionError):
                    await writer.drain()
                answer = await reader.read(65536)
                return int(answer[9:12] or 0)
    except (OSError, TimeoutError, ValueError):
        return 0


def odd_calls() -> list[bytes]:
    """Calls of Gradio's protocol whose sessions and data are of no kind that it expects."""
    sessions = ["", None, 0, [], {}, "x" * 100_000, "\ud800", ["a"] * 99]
    bodies = [b'{"data":[null]}', *(json.dumps({"data": [None], "session_hash": odd}).encode() for odd in sessions)]
    paths = (
        "call/analyze",
        "queue/join",
        "run/predict",
        "run/analyze",
        "api/predict",
        "cancel",
        "reset",
        "call/v2/analyze",
    )
    return [
        raw("POST", f"/gradio_api/{path}", body, Content_Type="application/json") for path in paths for body in bodies
    ]


def many_stages(stages: int = 40_000) -> bytes:
    """A PNG of about a kilobyte whose ICC profile (version 4, D2B0) has so many matrix stages."""
    tag = b"mpet\0\0\0\0" + struct.pack(">HHI", 3, 3, stages) + struct.pack(">II", 16 + 8 * stages, 60) * stages
    tag += b"matf\0\0\0\0" + struct.pack(">HH", 3, 3) + struct.pack(">12f", 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)
    white = struct.pack(">3i", 63190, 65536, 54061)
    tags = {
        b"desc": b"desc\0\0\0\0\0\0\0\2x\0" + bytes(80),
        b"wtpt": b"XYZ \0\0\0\0" + white,
        b"D2B0": tag,
        b"A2B0": tag,
    }
    place, table, content = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        value += bytes(-len(value) % 4)
        table += name + struct.pack(">II", place + len(content), len(value))
        content += value
    head = struct.pack(">I", place + len(content)) + b"lcms\4\x40\0\0mntrRGB XYZ "
    head += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + white
    file = BytesIO()
    Image.new("RGB", (64, 64), (120, 90, 60)).save(file, "PNG", icc_profile=head.ljust(128, b"\0") + table + content)
    return file.getvalue()


def large_picture() -> bytes:
    """A WebP of 50 megapixels in some kilobytes."""
    file = BytesIO()
    Image.new("L", (7000, 7000), 90).save(file, "WEBP", quality=1)
    return file.getvalue()


async def attack_queue(port: int, until: float) -> None:
    """Calls that Gradio's own queue dies of, several at the same moment."""
    calls = odd_calls()
    while time.monotonic() < until:
        for place in range(0, len(calls), 8):
            await asyncio.gather(*(exchange(port, call) for call in calls[place : place + 8]))


async def attack_decoder(port: int, until: float) -> None:
    """Small pictures that take long to read, four at a time."""
    request = raw("POST", "/analyze", many_stages())

    async def send() -> None:
        while time.monotonic() < until:
            await exchange(port, request)

    await asyncio.gather(*(send() for _ in range(4)))


async def attack_bodies(port: int, until: float) -> None:
    """JSON of millions of lists, JSON that is very deep, and bodies in chunks of one byte."""
    many = b'{"data":[[' + b"[]," * (41 * 2**20 // 3 - 20) + b"[]]]}"
    deep = b'{"data":' * 100_000
    chunks = (
        raw("POST", "/analyze").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked") + b"1\r\nx\r\n" * 300_000
    )

    async def send(request: bytes) -> None:
        while time.monotonic() < until:
            await exchange(port, request)

    calls = [raw("POST", "/gradio_api/call/analyze", body, Content_Type="application/json") for body in (many, deep)]
    await asyncio.gather(*(send(request) for request in (*calls, *[chunks] * 8)))


async def attack_shares(port: int, until: float) -> None:
    """All sessions, all places of videos with uploads that hardly move, photos that are large once decoded, eight at a time, and
    photos that nobody asks about."""
    gif = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;"
    photo, form = raw("POST", "/analyze", large_picture()), multipart(gif)
    upload = raw("POST", "/gradio_api/upload", form, Content_Type=MULTIPART)

    async def start() -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.closing(writer):
            writer.write(raw("POST", "/session/start", b"{}", X_Forwarded_For=STRANGER))
            answer = await reader.read()
        return json.loads(answer.partition(b"\r\n\r\n")[2]).get("session", "")

    async def hold_sessions() -> None:
        while time.monotonic() < until:
            session = await start()
            await exchange(port, raw("POST", "/live/frame", gif, X_Session=session, X_Seconds="0", X_Camera="1x1"))

    async def hold_video() -> None:
        while time.monotonic() < until:
            head = raw("POST", "/video/analyze", b"", 400_000_000, X_Session=await start(), X_Forwarded_For=STRANGER)
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                with contextlib.closing(writer):
                    writer.write(head)
                    while time.monotonic() < until and not reader.at_eof():
                        writer.write(bytes(25_000))
                        await writer.drain()
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(reader.read(4096), 1)

    async def send(request: bytes) -> None:
        while time.monotonic() < until:
            await exchange(port, request)

    await asyncio.gather(
        hold_sessions(), *(hold_video() for _ in range(4)), *(send(photo) for _ in range(8)), send(upload)
    )


ATTACKS = {"queue": attack_queue, "decoder": attack_decoder, "bodies": attack_bodies, "shares": attack_shares}


def main() -> None:
    name, port, seconds = sys.argv[1:]
    asyncio.run(ATTACKS[name](int(port), time.monotonic() + float(seconds)))


if __name__ == "__main__":
    main()
