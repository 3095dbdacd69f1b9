"""Waits for the network that always end."""

import hashlib
import http.client
import logging
import shutil
import threading
import urllib.error
import urllib.request
from pathlib import Path

from occamhead.saving import replaced

log = logging.getLogger("occamhead")

STALL_SECONDS = 10.0  # a transfer that delivers nothing for so long is given up


def reachable(url: str, seconds: float = 5.0) -> bool:
    """Say whether the host of a URL answers, whatever the answer is.

    Args:
        url: An http or https address; proxy settings of the environment are respected.
        seconds: The longest this call may take.
    Returns:
        True if any HTTP status came back in time.
    """
    answered = threading.Event()

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=seconds):
                answered.set()
        except urllib.error.HTTPError:
            answered.set()  # even "403 Forbidden" comes from a host that is there
        except (OSError, http.client.HTTPException) as reason:
            log.debug("%s does not answer: %s", url, reason)

    # The look-up of a host's name has no time-out of its own, so a thread waits in our place.
    thread = threading.Thread(target=ask, name="occamhead-reachable", daemon=True)
    thread.start()
    thread.join(seconds)
    return answered.is_set()


def download(url: str, target: Path, algorithm: str, checksum: str) -> None:
    """Fetch a file; `target` appears only when it is complete and right.

    Args:
        url: Address of a file on a host that `reachable` has found.
        target: Where the file shall lie; its folder is created.
        algorithm: Name of a hash function in hashlib, such as "sha256".
        checksum: Leading hexadecimal digits of the file's hash.
    Raises:
        OSError: If the transfer stalls for 10 s, breaks off or delivers another file.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    log.info("downloading %s to %s", url, target)
    try:
        with replaced(target) as part:
            reply = urllib.request.urlopen(url, timeout=STALL_SECONDS)
            with reply as source, part.open("wb") as sink:
                shutil.copyfileobj(source, sink)
            found = file_hash(part, algorithm)
            if not found.startswith(checksum):
                raise OSError(f"{url}: wanted a file of {algorithm} {checksum}..., got {found}")
    except http.client.HTTPException as reason:
        raise OSError(f"{url}: the transfer broke off: {reason!r}") from reason


def file_hash(path: Path, algorithm: str = "sha256") -> str:
    """Return the hexadecimal hash of a file's bytes."""
    digest = hashlib.new(algorithm)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
