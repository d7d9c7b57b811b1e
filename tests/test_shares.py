"""How visitors share places and threads: who gives up what, whose turn it is, and who is one visitor."""

import ctypes
import math
import threading
import time
from concurrent.futures import CancelledError

import pytest

from webui.http import Refusal
from webui.shares import FairPool, Place, Shares
from webui.visitors import PRIVATE, named_proxies, visitor_of


def hold(shares: Shares, visitor: str, given_up: list, name: str, heard: float = math.inf, size: int = 0) -> Place:
    place = Place(visitor, lambda: given_up.append(name), heard, size)
    shares.take(place)
    return place


def test_who_holds_most_gives_up_the_most_silent_and_nobody_gives_up_the_only_one():
    shares, given_up, now = Shares(4, "no_place", patience=60), [], time.monotonic()
    hold(shares, "polite", given_up, "polite", now - 5)
    for name, heard in (("first", now - 1), ("silent", now - 9), ("last", now)):
        hold(shares, "greedy", given_up, name, heard)
    hold(shares, "new", given_up, "new", now)
    assert given_up == ["silent"] and len(shares) == 4
    hold(shares, "newer", given_up, "newer", now)
    assert given_up == ["silent", "first"]
    # Now everybody has one, and all were heard of a moment ago.
    with pytest.raises(Refusal) as refused:
        hold(shares, "newest", given_up, "newest", now)
    assert refused.value.status == 503 and len(shares) == 4 and len(given_up) == 2


def test_the_greedy_are_refused_what_others_have():
    shares, given_up = Shares(2, "no_place"), []
    hold(shares, "one", given_up, "one")
    hold(shares, "two", given_up, "two")
    with pytest.raises(Refusal):
        hold(shares, "two", given_up, "three")
    assert given_up == [] and len(shares) == 2


def test_a_place_that_has_long_been_silent_makes_room_for_anybody():
    shares, given_up, now = Shares(2, "no_place", patience=60), [], time.monotonic()
    hold(shares, "one", given_up, "one", now - 61)
    hold(shares, "two", given_up, "two", now - 59)
    hold(shares, "three", given_up, "three", now)
    assert given_up == ["one"]
    with pytest.raises(Refusal):
        hold(shares, "four", given_up, "four", now)


def test_bytes_are_shared_as_places_are():
    shares, given_up = Shares(100, "no_place", size=100, too_large="large_photos_waiting"), []
    hold(shares, "small", given_up, "small", size=20)
    hold(shares, "large", given_up, "large", size=60)
    growing = hold(shares, "small", given_up, "growing", size=20)
    assert given_up == []
    growing.size = 30
    shares.take(growing)
    assert given_up == ["large"] and len(shares) == 2
    with pytest.raises(Refusal, match="large photos"):
        hold(shares, "huge", given_up, "huge", size=101)


@pytest.fixture
def pool():
    """A function that makes a pool of one thread, which is at work until the event is set."""
    pools, go_on = [], threading.Event()

    def make(**options) -> tuple[FairPool, threading.Event]:
        pool, begun = FairPool(1, "test", **options), threading.Event()
        pools.append(pool)
        pool.submit("busy", lambda: begun.set() or go_on.wait(20))
        assert begun.wait(20)
        return pool, go_on

    yield make
    go_on.set()
    for pool in pools:
        pool.shutdown()


def test_visitors_have_turns_and_each_keeps_the_order_of_asking(pool):
    pool, go_on = pool()
    done: list[str] = []
    calls = {name: pool.submit(name[0], done.append, name) for name in ("a1", "a2", "a3", "b1", "b2", "c1")}
    calls["a0"] = pool.submit("a", done.append, "a0", next=True)
    calls["a4"] = pool.submit("a", done.append, "a4")
    order = ["a0", "b1", "c1", "a1", "b2", "a2", "a3", "a4"]
    assert [pool.ahead(calls[name]) for name in order] == list(range(8))
    go_on.set()
    calls["a4"].result(20)
    assert done == order and pool.ahead(calls["a4"]) is None


def test_the_newest_call_of_who_waits_for_most_makes_room_and_others_are_done(pool):
    pool, go_on = pool(places=4)
    calls = {name: pool.submit(name[0], str, name) for name in ("a1", "a2", "a3")}
    with pytest.raises(Refusal):
        pool.submit("a", str, "a4")
    calls["b1"] = pool.submit("b", str, "b1")
    assert isinstance(calls["a3"].exception(20), Refusal)
    go_on.set()
    assert [calls[name].result(20) for name in ("a1", "a2", "b1")] == ["a1", "a2", "b1"]


def test_a_call_that_is_given_up_leaves_its_place_at_once(pool):
    pool, go_on = pool(places=2)
    call = pool.submit("a", str)
    with pytest.raises(Refusal):
        pool.submit("b", str)
    call.cancel()
    other = pool.submit("b", str, "b")
    go_on.set()
    assert other.result(20) == "b" and len(pool) == 0
    with pytest.raises(CancelledError):
        call.result()


def test_while_others_are_about_one_thread_is_left_to_them(monkeypatch):
    monkeypatch.setattr(FairPool, "ABOUT_SECONDS", 1)
    pool, go_on, begun = FairPool(2, "test", spare=1), threading.Event(), []
    try:
        pool.submit("polite", str).result(20)
        slow = [pool.submit("greedy", lambda: begun.append(True) or go_on.wait(20)) for _ in range(3)]
        for name in ("first", "second"):
            assert pool.submit("polite", str, name).result(20) == name
        assert len(begun) == 1
        time.sleep(1.1)
        slow.append(pool.submit("greedy", str))  # alone now
        deadline = time.monotonic() + 20
        while len(begun) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        go_on.set()
        assert all(call.result(20) is not None for call in slow)
    finally:
        go_on.set()
        pool.shutdown()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_died_is_replaced_and_one_that_idles_ends(monkeypatch):
    monkeypatch.setattr(FairPool, "IDLE_SECONDS", 0.2)
    pool = FairPool(1, "test")
    for kill in (True, False):
        assert pool.submit("a", str, "alive").result(20) == "alive"
        (thread,) = pool._threads
        if kill:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
            assert pool.submit("a", str, "in its place").result(20) == "in its place"
        thread.join(20)
        assert not thread.is_alive()
    assert pool.submit("a", str, "again").result(20) == "again"
    pool.shutdown()
    with pytest.raises(RuntimeError):
        pool.submit("a", str)


def ask(peer: str, *forwarded: str) -> dict:
    return {"type": "http", "client": (peer, 1), "headers": [(b"x-forwarded-for", line.encode()) for line in forwarded]}


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "visitor"),
    [
        (0, "203.0.113.7", ["198.51.100.1"], "203.0.113.7"),  # nobody is believed
        (1, "10.0.0.1", ["198.51.100.9, 203.0.113.7"], "203.0.113.7"),  # the first was made up
        (2, "10.0.0.1", ["198.51.100.9, 203.0.113.7", "10.0.0.2"], "203.0.113.7"),
        (1, "10.0.0.1", [], "10.0.0.1"),
        (3, "10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        (PRIVATE, "10.16.3.80", ["9.9.9.9, 8.8.8.8, 10.1.1.1"], "8.8.8.8"),
        (PRIVATE, "8.8.4.4", ["9.9.9.9"], "8.8.4.4"),  # it came past the proxies
        (PRIVATE, "10.16.3.80", [], "10.16.3.80"),
        (0, "2001:db8:1:2:3:4:5:6", [], "2001:db8:1:2::/64"),
        (0, "::ffff:203.0.113.7", [], "203.0.113.7"),
        (1, "10.0.0.1", ["x" * 1000], "x" * 64),
    ],
)
def test_a_visitor_is_who_the_trusted_proxies_tell(proxies, peer, forwarded, visitor):
    assert visitor_of(ask(peer, *forwarded), proxies) == visitor


@pytest.mark.parametrize(
    ("environment", "proxies"),
    [
        ({}, 0),
        ({"IFADE_PROXIES": "2"}, 2),
        ({"IFADE_PROXIES": "private"}, PRIVATE),
        ({"SPACE_ID": "somebody/ifade"}, PRIVATE),
        ({"SPACE_ID": "somebody/ifade", "IFADE_PROXIES": "1"}, 1),
    ],
)
def test_the_environment_names_the_proxies(environment, proxies):
    assert named_proxies(environment) == proxies


@pytest.mark.parametrize("named", ["-1", "many", "17"])
def test_a_wrong_number_of_proxies_ends_the_start(named):
    with pytest.raises(SystemExit, match="IFADE_PROXIES"):
        named_proxies({"IFADE_PROXIES": named})
