"""How the demo starts and ends: its words, proxies, IPv6, ports, Ctrl+C."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from helpers import PATIENCE, ROOT, free_port, is_up, wait_until

from realitycheck import checkpoints
from realitycheck.errors import RealityCheckError
from realitycheck.files import sha256
from realitycheck.web import address, signals

# With weights that load soon: what is shown is where and how it starts, not what it answers.
pytestmark = pytest.mark.usefixtures("quick_by_default")
NOWHERE = "http://127.0.0.1:9"  # nobody listens there
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def without_proxies():
    return {name: value for name, value in os.environ.items() if name.upper() not in PROXIES}


class Started:
    """app.py in a process group of its own."""

    def __init__(self, process: subprocess.Popen, log: Path) -> None:
        self.process, self.log = process, log

    def said(self) -> str:
        return self.log.read_text()

    def wait_for(self, url: str) -> None:
        wait_until(lambda: self.process.poll() is not None or is_up(url), self.said)
        assert self.process.poll() is None, self.said()

    def wait_for_words(self) -> str:
        """Its first whole line, which on a busy machine comes long after its first answer."""
        wait_until(lambda: self.said().endswith("\n"), lambda: "nothing was said")
        return self.said()

    def wait_for_work(self, seconds: float) -> None:
        """Until it can be told to stop and has computed for so long, however busy the machine."""
        wait_until(lambda: bool(self.folders()) and self.worked() >= seconds, self.said)

    def worked(self) -> float:
        """Seconds for which it has computed."""
        numbers = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")

    def folders(self) -> list[Path]:
        """Its temporary ones, the first of which it makes once it has handlers of signals."""
        return list(self.log.parent.glob("realitycheck-*"))

    def group(self) -> list[int]:
        """Processes that still run in its group."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                state, _, group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
                if int(group) == self.process.pid and state != "Z":
                    found.append(int(entry.name))
        return found

    def assert_nothing_is_left(self) -> None:
        wait_until(lambda: not self.group(), lambda: f"still running: {self.group()}")


@contextlib.contextmanager
def start(tmp_path, *options, env=None):
    log = tmp_path / "app.log"
    process = subprocess.Popen(
        [sys.executable, "app.py", *options],
        cwd=ROOT,
        env=without_proxies() | {"TMPDIR": str(tmp_path)} | (env or {}),
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield Started(process, log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)


def test_it_says_where_it_is_and_ends_with_one_line(tmp_path):
    port = free_port()
    with start(tmp_path, "--port", str(port)) as started:
        started.wait_for(f"http://127.0.0.1:{port}")
        first = started.wait_for_words()
        assert first == f"RealityCheck is at http://127.0.0.1:{port}/ (Ctrl+C stops it).\n"
        os.killpg(started.process.pid, signal.SIGINT)  # as a terminal sends it
        assert started.process.wait(PATIENCE) == 130
        assert started.said() == first + "stopped.\n"
        started.assert_nothing_is_left()
    assert list(tmp_path.glob("realitycheck-*")) == []


@pytest.mark.parametrize(("end", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
@pytest.mark.parametrize("work", [0, 1.5])  # seconds of computing: gradio's import takes longer
def test_it_can_be_stopped_while_it_starts(tmp_path, end, status, work):
    with start(tmp_path, "--port", str(free_port())) as started:
        started.wait_for_work(work)
        os.killpg(started.process.pid, end)
        assert started.process.wait(PATIENCE) == status, started.said()
        assert "Traceback" not in started.said()
        assert len(started.said().splitlines()) <= 2
        started.assert_nothing_is_left()
    assert list(tmp_path.glob("realitycheck-*")) == []


def test_ctrl_c_while_a_process_starts_is_held_back_and_not_lost():
    said = []
    blocked = "import signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, []))"

    def start_a_process():
        with signals.held_back():
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            said.append(subprocess.check_output([sys.executable, "-c", blocked], text=True))

    with pytest.raises(KeyboardInterrupt):
        start_a_process()
    assert "SIGINT" in said[0]  # the process holds it back for good


def test_weights_that_cannot_be_loaded_end_it_in_a_sentence(tmp_path):
    # The page is up by then: a checkpoint is found before it is loaded.
    shutil.copytree(checkpoints.BUNDLE, tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    values = json.loads(config.read_text())
    weights = tmp_path / "model" / values["members"][0]["files"][-1]
    weights.write_bytes(weights.read_bytes()[:5000])
    values["sha256"][weights.name] = sha256(weights)
    config.write_text(json.dumps(values))
    options = ("--port", str(free_port()), "--model", str(tmp_path / "model"))
    with start(tmp_path, *options) as started:
        assert started.process.wait(PATIENCE) == 1
        assert "is damaged or cut short" in started.said()
        assert len(started.said().splitlines()) == 1
        started.assert_nothing_is_left()


@pytest.mark.parametrize(
    "env",
    [
        pytest.param({"HTTP_PROXY": NOWHERE}, marks=pytest.mark.slow),
        {"http_proxy": NOWHERE, "https_proxy": NOWHERE},
        pytest.param({"ALL_PROXY": NOWHERE, "NO_PROXY": "example.com"}, marks=pytest.mark.slow),
        {"all_proxy": "socks5://127.0.0.1:9", "no_proxy": ""},
    ],
    ids=["http", "lower case", "all", "socks"],
)
def test_its_own_address_bypasses_the_proxy(tmp_path, env):
    port = free_port()
    with start(tmp_path, "--port", str(port), env=env) as started:
        started.wait_for(f"http://127.0.0.1:{port}")


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="no IPv6 here")
@pytest.mark.parametrize(
    "host", ["::1", *(pytest.param(host, marks=pytest.mark.slow) for host in ("[::1]", "::"))]
)
def test_ipv6(tmp_path, picture, host):
    picture.save(tmp_path / "picture.png")
    port = free_port()
    env = {"HTTP_PROXY": NOWHERE}
    with start(tmp_path, "--port", str(port), "--host", host, env=env) as started:
        started.wait_for(f"http://[::1]:{port}")
        client = Client(f"http://[::1]:{port}/", verbose=False)
        *_, report = client.predict(handle_file(tmp_path / "picture.png"), api_name="/predict")
        assert report["verdict"] in ("ai", "real", "uncertain")


@pytest.mark.slow
def test_ipv6_by_gradios_own_variable(tmp_path):
    port = free_port()
    with start(tmp_path, "--port", str(port), env={"GRADIO_SERVER_NAME": "::1"}) as started:
        started.wait_for(f"http://[::1]:{port}")


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-name.invalid", "fe80::1%nothing", "a..b"])
def test_an_address_of_no_machine_is_refused_in_one_line(tmp_path, host):
    with start(tmp_path, "--host", host) as started:
        assert started.process.wait(PATIENCE) == 1
        assert started.said().startswith(f"error: cannot listen on {address.bracketed(host)}: ")
        assert "Pass another --host or --port." in started.said()
        assert len(started.said().splitlines()) == 1
        started.assert_nothing_is_left()


def test_a_public_link_through_socks_starts_or_says_what_to_set(tmp_path):
    # Gradio asks for the link through the proxy, for which its HTTP client lacks a package.
    env = {"ALL_PROXY": "socks5://127.0.0.1:9"}
    with start(tmp_path, "--port", str(free_port()), "--share", env=env) as started:
        assert started.process.wait(PATIENCE) == 1
        assert "A proxy is set by ALL_PROXY: unset it" in started.said()
        assert len(started.said().splitlines()) == 1
        started.assert_nothing_is_left()


@pytest.mark.parametrize("port", [-1, 0, 65536, 10**12])
def test_a_port_of_no_machine_is_refused(port):
    with pytest.raises(RealityCheckError, match="from 1 to 65535"):
        address.check("127.0.0.1", port)


def test_a_port_in_use_is_refused():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(RealityCheckError, match=r"cannot listen on .*in use"):
            address.check("127.0.0.1", taken.getsockname()[1])


def test_what_was_set_for_proxies_is_set_again(monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "example.com")
    with address.without_proxy("[fd00::2]", share=True):
        hosts = os.environ["NO_PROXY"].split(",")
        assert {"fd00::2", "127.0.0.1", "example.com"} <= set(hosts)
        assert os.environ["no_proxy"] == os.environ["NO_PROXY"]
    assert os.environ["no_proxy"] == "example.com"
    assert "NO_PROXY" not in os.environ
    with address.without_proxy("127.0.0.1", share=False):
        assert os.environ["NO_PROXY"] == "*"


def test_the_advice_names_what_is_set(monkeypatch):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    assert address.proxy_advice() == ""
    monkeypatch.setenv("ALL_PROXY", NOWHERE)
    assert "ALL_PROXY" in address.proxy_advice()
    assert "NO_PROXY=127.0.0.1" in address.proxy_advice()
