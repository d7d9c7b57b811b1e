"""The start whatever the environment says: addresses, ports, proxies, and Ctrl-C at any moment."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from benchmarks.screenshot import free_port, page_process
from webui import address as address_module
from webui.address import listen, named_address

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ("127.0.0.1", None)),
        ({"GRADIO_SERVER_NAME": "", "GRADIO_SERVER_PORT": " "}, ("127.0.0.1", None)),
        ({"GRADIO_SERVER_NAME": "::", "GRADIO_SERVER_PORT": "80"}, ("::", 80)),
        ({"GRADIO_SERVER_NAME": "[::1]", "GRADIO_NUM_PORTS": "x"}, ("::1", None)),
    ],
)
def test_the_environment_names_the_address(environment, expected):
    assert named_address(environment) == expected and environment == {}


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1", "7860.0"])
def test_what_is_no_port_ends_the_start_with_one_line(port):
    with pytest.raises(SystemExit, match="GRADIO_SERVER_PORT is .*, which is no port") as ended:
        print(named_address({"GRADIO_SERVER_PORT": port}))
    assert "\n" not in ended.value.code


def close(address) -> None:
    for opened in address.sockets:
        opened.close()


def reaches(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=5).close()
        return True
    except OSError:
        return False


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        return True
    except OSError:
        return False


@pytest.mark.parametrize(
    ("name", "own", "reached"),
    [
        ("127.0.0.1", "127.0.0.1", ["127.0.0.1"]),
        ("localhost", "localhost", ["localhost"]),
        ("0.0.0.0", "127.0.0.1", ["127.0.0.1"]),
        ("::1", "[::1]", ["::1"]),
        ("::", "[::1]", ["::1", "127.0.0.1"]),
    ],
)
def test_both_kinds_of_addresses_are_listened_at(name, own, reached):
    if ":" in name and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    address = listen(name, free_port())
    try:
        assert address.own == own
        assert {
            host: reaches(host, address.port) for host in ("127.0.0.1", "::1") if host in reached or name == "::1"
        } == {host: host in reached for host in ("127.0.0.1", "::1") if host in reached or name == "::1"}
    finally:
        close(address)


def test_a_taken_port_that_was_named_ends_the_start_and_the_default_one_moves_on(monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SystemExit, match=f"port {port} of 127.0.0.1 is taken") as ended:
            listen("127.0.0.1", port)
        assert "\n" not in ended.value.code and "GRADIO_SERVER_PORT" in ended.value.code
        monkeypatch.setattr(address_module, "DEFAULT_PORT", port)
        moved = listen()
        close(moved)
        assert port < moved.port < port + 100
        assert capsys.readouterr().out == f"Port {port} is taken: the page is at port {moved.port}.\n"
        monkeypatch.setattr(address_module, "TRIED", 1)
        with pytest.raises(SystemExit, match="are taken"):
            listen()


@pytest.mark.parametrize("name", ["203.0.113.9", "2001:db8::1", "no.such.host.invalid", "a" * 300, "ü" * 70])
def test_an_address_that_is_not_of_this_machine_ends_the_start_with_one_line(name):
    with pytest.raises(SystemExit, match="cannot listen at .* Set GRADIO_SERVER_NAME") as ended:
        listen(name, free_port())
    assert "\n" not in ended.value.code


def test_proxies_do_not_concern_the_page():
    """Of HTTP, through which Gradio would ask for its own page, and of SOCKS, which end its import."""
    proxies = {"http": "http://127.0.0.1:9", "https": "http://127.0.0.1:9", "all": "socks5h://127.0.0.1:9"}
    environment = {
        change(f"{name}_proxy"): value for name, value in proxies.items() for change in (str.lower, str.upper)
    }
    ask = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with page_process(free_port(), environment) as (address, _):
        assert json.load(ask.open(f"{address}health"))["status"] == "ok"


def test_a_taken_port_is_one_line_of_the_page(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        environment = os.environ | {"GRADIO_SERVER_PORT": str(other.getsockname()[1])}
        done = subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, timeout=120)
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1 and b"is taken" in done.stderr


def interrupted(arguments: list, seconds: float, number: signal.Signals) -> tuple[int, str]:
    """Status and output of a start that is ended after so many seconds."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"GRADIO_SERVER_PORT": str(free_port())},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A test runner in the background ignores Ctrl-C, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    time.sleep(seconds)
    process.send_signal(number)
    output = process.communicate(timeout=60)[0]
    return process.returncode, output


INTERRUPTED = """
import os, runpy, signal, sys

class Interrupts:
    def find_spec(self, name, *_):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)

sys.modules.pop(sys.argv[1], None)
sys.meta_path.insert(0, Interrupts())
runpy.run_module("inference", run_name="__main__", alter_sys=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
@pytest.mark.parametrize("module", ["argparse", "tqdm", "numpy"])
def test_ctrl_c_while_a_module_is_imported_ends_the_command_without_a_word(module):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, module],
        cwd=ROOT,
        capture_output=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")  # a shell says 130


# Python itself prints a traceback where it is interrupted before the first line of a program, in its first 50 ms.
MOMENTS = [round(0.15 + 0.8 * (number + random.Random(number).random()), 2) for number in range(5)]


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
@pytest.mark.parametrize("seconds", MOMENTS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("program", ["page", "command line"])
def test_an_interrupt_at_any_moment_ends_without_a_traceback(program, number, seconds):
    arguments = ["app.py"] if program == "page" else ["-m", "inference", *["examples/astronaut.jpg"] * 40]
    status, output = interrupted(arguments, seconds, number)
    assert "Traceback" not in output and "Exception ignored" not in output and "KeyboardInterrupt" not in output, output
    assert status in (0, 130, -number)


OPENED = """
import sys
opened = []
sys.addaudithook(lambda event, values: event == "open" and opened.append(str(values[0])))
import app
print([name for name in opened if name.endswith(".pyi")], "pandas._libs" in sys.modules)
app.gr.Dataframe(value=[[1]]).postprocess([[1]])
print("pandas._libs" in sys.modules)
"""


def test_the_page_starts_without_type_stubs_and_pandas_which_is_there_when_it_is_needed():
    done = subprocess.run([sys.executable, "-c", OPENED], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.returncode) == ("[] False\nTrue\n", 0), done.stderr
