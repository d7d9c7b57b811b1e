"""How visitors share what there is: places, and the time of threads. Whoever is alone may have all of it."""

import math
import threading
import time
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from webui.http import Refusal


@dataclass(eq=False)
class Place:
    """What a visitor holds.

    Attributes:
        give_up: takes it from the visitor, for somebody else; None where that was done or is not possible any more.
        heard: when there was a sign of life, by time.monotonic(); infinite where none is due.
        size: of what is in it, in bytes.
    """

    visitor: str
    give_up: Callable[[], object] | None
    heard: float = math.inf
    size: int = 0


class Shares:
    """Places of one kind. Where they are taken, the visitor who holds most gives one up: the one that has been silent longest,
    and among those that need not be heard of the newest. Whoever holds as much already gets the place of a silent one or none.

    Args:
        most: places at the same time.
        full: the code of the sentence for those who get none; it may name their `count`.
        size: bytes in all of them.
        too_large: the code of the sentence for those who get none because of that.
        patience: seconds after which a place is a silent one.
    """

    def __init__(
        self, most: float, full: str, *, size: float = math.inf, too_large: str = "", patience: float = math.inf
    ):
        self._most, self._full, self._size, self._too_large = most, full, size, too_large
        self._patience = patience
        self._held: dict[Place, None] = {}  # the oldest first
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._held)

    def take(self, place: Place) -> None:
        """Hold a place from now on, or go on with it when there is more in it.

        Raises:
            Refusal: there is no room for it, 503.
        """
        with self._lock:
            self._held[place] = None
            self._make_room(place)

    def leave(self, place: Place) -> None:
        """Hold it no longer."""
        with self._lock:
            self._held.pop(place, None)

    def refusal(self, code: str = "") -> Refusal:
        """What whoever gets no place, or has to give one up, is told."""
        return Refusal(503, code or self._full, count=sum(place.give_up is not None for place in self._held))

    def _make_room(self, newcomer: Place) -> None:
        while (crowded := len(self._held) > self._most) or sum(place.size for place in self._held) > self._size:
            part: defaultdict[str, float] = defaultdict(float)
            for place in self._held:
                part[place.visitor] += 1 / max(self._most, 1) + place.size / self._size
            most = max(part.values())
            heard_before = math.inf if part[newcomer.visitor] < most else time.monotonic() - self._patience
            waiting = [place for place in self._held if place.give_up is not None and place is not newcomer]
            candidates = [place for place in waiting if part[place.visitor] == most and place.heard <= heard_before]
            if not candidates:
                del self._held[newcomer]
                raise self.refusal(self._full if crowded else self._too_large)
            loser = min(reversed(candidates), key=lambda place: place.heard)
            del self._held[loser]
            give_up, loser.give_up = loser.give_up, None
            if give_up is not None:
                give_up()


class FairPool:
    """Threads that work for one visitor after the other, and for each in the order of asking. A thread that was not needed for
    a while ends, and one that has died is replaced.

    Args:
        threads: at most.
        spare: so many of them are left to others while there are others, so that nobody's long work holds them all.
        places: calls that may wait or be worked on at the same time; shared as by Shares, whose other arguments follow.
    """

    IDLE_SECONDS = 10
    ABOUT_SECONDS = 5
    """How long a visitor who has asked for something is there."""

    def __init__(
        self, threads: int, name: str, places: float = math.inf, full: str = "busy_moment", spare: int = 0, **shares
    ):
        self._most, self._spare, self._name, self._closed = threads, spare, name, False
        self._shares = Shares(places, full, **shares)
        self._calls: dict[str, OrderedDict[Future, tuple[Callable, Place]]] = {}  # by visitor, whose turn it is first
        self._asked: dict[str, float] = {}  # by visitor, when last; without the page's own probes
        self._at_work: Counter[str] = Counter()
        self._changed = threading.Condition(threading.RLock())
        self._threads: set[threading.Thread] = set()

    def __len__(self) -> int:
        """Calls that wait or are worked on."""
        return len(self._shares)

    def submit(self, visitor: str, call: Callable, *arguments, size: int = 0, next: bool = False) -> Future:
        """Call a function when it is the visitor's turn; `next`: before what else the visitor waits for.

        Raises:
            Refusal: there is no room for the call; its future has that too where it has to make room for another visitor's.
            RuntimeError: the pool was shut down.
        """
        future: Future = Future()
        place = Place(visitor, partial(self._refuse, future), size=size)
        with self._changed:
            if self._closed:
                raise RuntimeError(f"the threads of {self._name} have ended")
            self._shares.take(place)
            if visitor:
                self._asked[visitor] = time.monotonic()
            calls = self._calls.setdefault(visitor, OrderedDict())
            calls[future] = partial(call, *arguments), place
            calls.move_to_end(future, last=not next)
            future.add_done_callback(partial(self._leave, place))
            self._start()
            self._changed.notify()
        return future

    def ahead(self, future: Future) -> int | None:
        """How many calls are begun before one that waits, if nobody asks for more; None where it does not wait."""
        with self._changed:
            queues = list(self._calls.values())
            for turn, calls in enumerate(queues):
                if future in calls:
                    before = list(calls).index(future)
                    others = (len(other) for other in queues if other is not calls)
                    return before + sum(min(count, before + (place < turn)) for place, count in enumerate(others))
        return None

    def _start(self) -> None:
        """One more thread, where there are not as many as may be."""
        self._threads = {thread for thread in self._threads if thread.is_alive()}
        if len(self._threads) < self._most:
            thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._threads.add(thread)
            thread.start()

    def shutdown(self) -> None:
        """Give up what waits, and end the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            for future in [future for calls in self._calls.values() for future in calls]:
                future.cancel()

    def _refuse(self, future: Future) -> None:
        if future.set_running_or_notify_cancel():
            future.set_exception(self._shares.refusal())

    def _leave(self, place: Place, future: Future) -> None:
        with self._changed:
            place.give_up = None
            self._shares.leave(place)
            calls: dict = self._calls.get(place.visitor, {})
            calls.pop(future, None)
            if not calls:
                self._calls.pop(place.visitor, None)

    def _work(self) -> None:
        ended = False
        try:
            while call := self._next():
                self._do(*call)
                call = None  # what it holds is not to stay until the next
            ended = True
        finally:
            with self._changed:
                self._threads.discard(threading.current_thread())
                if not ended and self._calls:  # somebody ended it
                    self._start()

    def _do(self, visitor: str, future: Future, work: Callable) -> None:
        try:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = work()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
        finally:
            with self._changed:
                self._at_work[visitor] -= 1
                self._changed.notify()

    def _next(self) -> tuple[str, Future, Callable] | None:
        """The visitor and the call whose turn it is; None where there was none for a while."""
        with self._changed:
            while (visitor := self._turn()) is None:
                if self._closed or not (self._changed.wait(self.IDLE_SECONDS) or self._turn() is not None):
                    self._threads.discard(threading.current_thread())
                    return None
            calls = self._calls.pop(visitor)
            future, (work, place) = calls.popitem(last=False)
            if calls:
                self._calls[visitor] = calls  # at the end now
            place.give_up = None
            self._at_work[visitor] += 1
            return visitor, future, work

    def _turn(self) -> str | None:
        """The visitor whose turn it is."""
        since = time.monotonic() - self.ABOUT_SECONDS
        self._asked = {visitor: asked for visitor, asked in self._asked.items() if asked > since}
        self._at_work = +self._at_work
        alone = len(self._asked.keys() | self._calls.keys() - {""}) < 2
        most = self._most if alone else max(1, self._most - self._spare)
        return next((visitor for visitor in self._calls if self._at_work[visitor] < most), None)
