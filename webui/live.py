"""The Live tab: a camera in the browser that sends its next frame when the answer to the last has come.

The frames do not pass through Gradio's queue, which writes what it carries to disk: the page posts each to a route of its
own and gets the answer as JSON. Nothing but the session in memory is kept.
"""

import asyncio
import contextlib
import gradio as gr
import orjson
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from inference.images import ImageError, load_image
from inference.report import csv_lines, figure_png
from inference.satisfaction import VALENCE, Reading
from inference.tracker import TrackedFace
from inference.types import EMOTIONS
from webui.sessions import IDLE_SECONDS, LEFT_SECONDS, SWEEP_SECONDS, Session, SessionError, SessionStore

HERE = Path(__file__).resolve().parent

MAX_FRAME_BYTES, MAX_FRAME_PIXELS = 2 * 2**20, 1_000_000
"""Limits of a frame; the page sends at most 640 pixels in width, some 40 kB."""
MAX_JSON_BYTES = 4096
MAX_WAITING = 48
"""Frames that may wait for a processor; every page has one in flight, so this is the number of busy pages."""


class LiveRoutes:
    """The routes under /live/ that the page's script talks to.

    All but `start` name the session in the header X-Session; every refusal is JSON with an `error` for the visitor. Answers
    are never cached, and no token or picture is part of an address.

    Args:
        sessions: where the sessions are kept.
        workers: frames that are worked on at the same time.
    """

    def __init__(self, sessions: SessionStore, workers: int | None = None):
        self.sessions = sessions
        self._pool = ThreadPoolExecutor(workers or os.process_cpu_count_or_two(), thread_name_prefix="live")
        self._waiting = 0
