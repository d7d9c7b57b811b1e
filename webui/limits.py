"""How much of everything the page takes at once, and for how long."""

from dataclasses import dataclass

from inference.images import MAX_BYTES

RATES = (2, 5, 10, 25)
"""Pictures a second that may be asked for of a video."""
SHOWN_PIXELS = 1600
"""Longest side of the copy in which a larger photo is shown."""


@dataclass(frozen=True)
class Limits:
    """Handed to all that serves the page; the numbers are those of a machine with two processors and 16 GB."""

    # Who asks
    proxies: int = 0
    """Servers before the page that tell whom they ask for (`webui.visitors`)."""

    # Bodies
    json_bytes: int = 4096
    upload_seconds: float = 15
    """For JSON and frames; the page gives up long before."""
    large_bytes: int = 65536
    """A body of more is a large one."""
    arriving: int = 64
    """Large bodies that may be on their way at the same time."""
    held_bytes: int = 256 * 2**20
    """Of all large bodies that are on their way, and again of all photos that wait."""
    grace_seconds: float = 20
    slowest: int = 8000
    """A large body must have arrived after grace_seconds and a second for every so many bytes..."""
    body_seconds: float = 300
    """... and after this at the latest."""
    crumbs: int = 64
    """Pieces of a body, chunks or what comes at once, after which they are looked at..."""
    crumb_bytes: int = 64
    """... and must have so many bytes on the average: each costs as much as a large one."""

    # Photos
    photo_bytes: int = MAX_BYTES
    photo_workers: int = 2
    photos_waiting: int = 64

    # Calls by Gradio's protocol
    call_bytes: int = 42 * 2**20
    """Of a call's JSON: a photo as a data URL takes a third more than its file."""
    call_items: int = 1000
    """Lists, objects and values in a call's JSON."""
    sent_photos: int = 256
    """Photos that were uploaded and are still to be asked about; all together take held_bytes at most."""
    sent_seconds: float = 120
    """How long they are kept."""
    abandoned_seconds: float = 10
    """How long they are safe from newer ones of those who hold no more; a program asks as soon as it has sent one."""
    session_characters: int = 64
    unread_answers: int = 256
    """Answers that nobody has fetched yet."""
    unread_each: int = 8
    """The same of one session before it asks again."""
    unread_seconds: float = 60
    """How long an answer waits for the one who asked."""

    # Frames of cameras
    frame_bytes: int = 2 * 2**20
    """The page sends at most 640 x 640 pixels, some 40 kB."""
    frame_pixels: int = 1_000_000
    frame_seconds: float = 0.5
    """Of processor time to decode one; the page's take 5 ms."""
    frames_waiting: int = 48
    """A page has one in flight, so this is the number of pages that run at once."""

    # Sessions of Live and Video
    sessions: int = 64
    silent_session_seconds: float = 60
    """A session of which nothing was heard for so long makes room where there is none..."""
    begun_frames: int = 20
    """... and one that has not had so many frames yet..."""
    silent_begun_seconds: float = 1
    """... after so long."""
    idle_seconds: float = 600
    """A session of which nothing was heard for so long is deleted."""
    unused_seconds: float = 30
    """The same before its first frame: what was started and not used takes no other visitor's place."""
    left_seconds: float = 15
    """The same after its page was closed: time enough to come back from a reload."""
    sweep_seconds: float = 1
    """How often is looked for what is to be deleted."""
    report_workers: int = 2
    """Curves and reports that are made at the same time."""
    reports: int = 16
    """Sessions of which a curve or report may be in the making or wait for that."""
    session_reports: int = 8
    """The same of one session; a browser asks for six at the same time at most."""

    # Videos
    video_bytes: int = 500 * 2**20
    video_pixels: int = 4096 * 2304
    """Of a picture; a decoder holds a dozen of them."""
    video_minutes: int = 60
    """Of a video; what comes later is left out."""
    videos: int = 4
    """On the server at the same time, those included that wait or are being sent."""
    video_workers: int = 1
    """Videos that are worked on at the same time; cameras want the other processors."""
    turn_seconds: float = 0.5
    """How long one of them is worked on before another visitor's gets its turn."""
    silent_seconds: float = 30
    """How long an upload may stand still; where others want its place, a third of that."""
    slowest_video: int = 20_000
    """Bytes a second that an upload must bring on the average..."""
    sending_minutes: int = 30
    """... and how long it may take in any case: it holds the place of others."""
    keep_seconds: float = 30
    """How often an upload keeps its session: well within idle_seconds, however slowly it comes."""

    # Connections
    connections: int = 512
    """At the same time. A page holds one while it works, and for moments up to six."""
    request_seconds: float = 15
    """How long a connection may take to bring the head of a request, its first or the next."""
    ask_seconds: float = 1
    """The same where there are as many as may be, before it makes room for the next."""
    stuck_seconds: float = 60
    """How long sent data may wait for a client to take any of them."""
    files: int = 8192
    """File descriptors to ask the system for. The event loop accepts up to 2048 connections before it looks at one."""

    # The process
    trim_seconds: float = 30
    """How often memory that is free is given back to the system."""
    probe_seconds: float = 20
    """How often all that visitors use is tried where nobody asks for its health."""
    fresh_seconds: float = 2
    """What was found longer ago is looked for anew when somebody asks, who waits for that so long at most..."""
    stale_seconds: float = 5
    """... where it was found longer ago than this."""
    answer_seconds: float = 30
    """Without an answer to that for so long, something is taken to be stuck."""
    unwell_seconds: float = 120
    """After which the process ends, so that it is started anew."""
    finish_seconds: float = 6
    """How long what runs may go on when the page is told to end."""
    end_seconds: float = 10
    """When the process goes whatever happens."""
