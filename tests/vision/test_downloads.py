import hashlib
import http.server
import socket
import threading
import time

import pytest

from occamhead.vision import downloads
from occamhead.vision.downloads import download, reachable

CONTENT = b"weights " * 1000


@pytest.fixture
def server(tmp_path):
    """A file server on this machine that offers CONTENT at /file."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "file").write_bytes(CONTENT)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture
def silent_host():
    """A host that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def dripping_host():
    """A host that sends a letter now and then, so that no single wait ever times out."""
    stop = threading.Event()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def drip():
            connection, _ = listening.accept()
            with connection:
                while not stop.wait(0.05):
                    connection.sendall(b"H")

        thread = threading.Thread(target=drip)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        stop.set()
        thread.join()


def test_a_host_that_answers_is_reachable_whatever_it_says(server):
    assert reachable(f"{server}/file")
    assert reachable(f"{server}/not-there")


def test_a_closed_port_is_not_reachable(closed_port):
    start = time.monotonic()
    assert not reachable(f"http://127.0.0.1:{closed_port}")
    assert time.monotonic() - start < 5


def test_a_silent_host_costs_no_more_than_the_limit(silent_host):
    start = time.monotonic()
    assert not reachable(silent_host, seconds=0.3)
    assert 0.2 < time.monotonic() - start < 2


def test_a_dripping_host_costs_no_more_than_the_limit(dripping_host):
    start = time.monotonic()
    assert not reachable(dripping_host, seconds=0.3)
    assert 0.2 < time.monotonic() - start < 2


def test_download_checks_the_content(server, tmp_path):
    target = tmp_path / "new" / "file"
    download(f"{server}/file", target, "sha256", hashlib.sha256(CONTENT).hexdigest()[:8])
    assert target.read_bytes() == CONTENT


def test_a_wrong_download_leaves_nothing_behind(server, tmp_path):
    target = tmp_path / "new" / "file"
    with pytest.raises(OSError, match="wanted a file of md5 0123"):
        download(f"{server}/file", target, "md5", "0123")
    assert list(target.parent.iterdir()) == []


def test_a_stalled_download_is_given_up(silent_host, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "STALL_SECONDS", 0.2)
    with pytest.raises(OSError, match="timed out"):
        download(f"{silent_host}/file", tmp_path / "file", "md5", "")
    assert list(tmp_path.iterdir()) == []
