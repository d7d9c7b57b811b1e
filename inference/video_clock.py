"""The clock of a video: at which second each decoded picture is shown."""

from collections import deque
from statistics import median

import av

DECODING_TIMES = ("avi", "asf")
"""FFmpeg's names of the containers that store when a picture is decoded, not when it is shown. Where they differ, FFmpeg
fills in guesses."""

MAX_STEP_BACK = 1.0
"""Seconds by which time may run backwards before it is taken for a new count, as in recordings that were joined."""
MAX_REORDER = 16
"""Pictures that a decoder may hold back to show others first; the most of H.264 and H.265."""


class Clock:
    """Seconds since the start of a stream for its pictures in the order in which they are shown.

    A packet holds one coded picture, in the order of decoding; where pictures are foretold from later ones (B-frames),
    that is another order than the one of showing, in which the decoder gives them. Three kinds of times occur:

    - Presentation times: each picture has its own.
    - Decoding times, in containers that store no others, or from programs that wrote them into both places. They rise
      with the packets. A decoder that holds back n pictures shows the k-th when packet k + n comes, so the time of that
      packet is the picture's, less the delay of the first one.
    - None, as for most pictures of MPEG program streams: the frame rate tells.

    Which of the first two it is shows in the packets: presentation times of reordered pictures step back, decoding times
    never do. As long as no picture is reordered both are the same.

    Args:
        container, stream: the stream is of the container, and open for reading.

    Attributes:
        start: of the stream, in the seconds of the container.
        last: seconds of the latest picture, or None.
        joins: how often the count started anew within the stream.
    """

    def __init__(self, container: av.container.InputContainer, stream: av.VideoStream):
        self._stored_for_decoding = container.format.name in DECODING_TIMES
        self._time_base = float(stream.time_base)
        self.start = (stream.start_time or 0) * self._time_base
        self._offset = -self.start
        rate = float(stream.guessed_rate or stream.average_rate or 0)
        self._interval = 1 / rate if 0.001 <= rate <= 1000 else 0.04
        self._steps: deque[float] = deque(maxlen=MAX_REORDER)  # seconds between the latest times that were stored
        self._highest: int | None = None  # time of a packet
        self._reordered = False  # whether times of packets stepped back: they are of presentation
        self._overtaken = False  # whether pictures did though no time stepped back: times are of decoding
        self._held: deque[int] = deque(maxlen=4 * MAX_REORDER)  # times of packets whose picture has not come yet
        self._delay: int | None = None  # ticks from decoding the first picture to showing it
        self._derived = 0  # how many of the latest times, one after the other, were not stored but derived
        self.last: float | None = None
        self.joins = 0

    def convert(self, ticks: float) -> float:
        """Seconds of a time of the container."""
        return ticks * self._time_base + self._offset

    def count(self, packet: av.Packet) -> None:
        """Take note of a packet before it is decoded. Both of its times become the one that is stored, so that the decoder
        gives with each picture the time of its own packet (pts) and of the one upon which it was shown (dts)."""
        if self._stored_for_decoding:
            packet.pts = packet.dts
        else:
            packet.dts = packet.pts
        ticks = packet.pts
        if ticks is None or self._reordered or self._overtaken:
            return
        if self._highest is not None and ticks < self._highest:
            if (self._highest - ticks) * self._time_base < MAX_STEP_BACK:
                self._reordered = True
            self._held.clear()
            self._highest = None
        self._highest = ticks if self._highest is None else max(ticks, self._highest)
        self._held.append(ticks)

    def seconds(self, picture: av.VideoFrame) -> float | None:
        """When the picture is shown, or None where no time can be told: it would be no later than the one before."""
        interval = median(self._steps) if self._steps else self._interval
        expected = 0.0 if self.last is None else self.last + interval
        ticks = self._ticks(picture)
        seconds = expected if ticks is None else self.convert(ticks)
        derived = ticks is None
        if self.last is None:
            self._offset -= min(seconds, 0)
            seconds = max(seconds, 0.0)
        elif seconds <= self.last - MAX_STEP_BACK:
            self.joins += 1
            self._offset += expected - seconds
            seconds = expected
        elif seconds <= self.last:
            seconds, derived = self._derive(seconds, interval), True
            if seconds is None:
                return None
        elif not derived and self._derived == 0:
            self._steps.append(seconds - self.last)
        self._derived = self._derived + 1 if derived else 0
        self.last = seconds
        return seconds

    def _ticks(self, picture: av.VideoFrame) -> int | None:
        """The time of the container at which the picture is shown, or None where it does not tell."""
        own, shown = picture.pts, picture.dts
        if not self._reordered and not self._overtaken and own is not None:
            if own in self._held:
                self._held.remove(own)
            self._overtaken = any(ticks < own for ticks in self._held)
        if self._delay is None and own is not None and shown is not None:
            self._delay = shown - own
        if self._overtaken:
            return None if shown is None or self._delay is None else shown - self._delay
        return own

    def _derive(self, stored: float, interval: float) -> float | None:
        """A time for a picture whose stored one is not later than the one before, or None."""
        if self._overtaken:  # decoders may show several pictures upon one packet
            return self.last + interval if self._derived < MAX_REORDER else None
        tick_end = stored + self._time_base
        if self.last < tick_end + 1e-6:  # several pictures within a tick of a coarse clock
            seconds = min(self.last + self._interval, (self.last + tick_end) / 2)
            return seconds if seconds > self.last else None
        # The frame rate ran ahead of the stored times, or these are exchanged.
        return self.last + interval if self.last < stored + 2.5 * interval else None
