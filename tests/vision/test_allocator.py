import os
import platform
import subprocess
import sys

import pytest

from occamhead.vision import allocator

pytest.importorskip("resource")

# Of eight large tensors, how many the system brought, in pages: before, within, and afterwards.
COUNT = """
import contextlib, resource, torch
from occamhead.vision.allocator import memory_kept

def brought():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        torch.ones(25 << 20)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    return faults * resource.getpagesize() / (100 << 20)

print(brought())
with memory_kept():
    print(brought())
print(brought())
with contextlib.suppress(KeyError), memory_kept():
    print(brought())
    raise KeyError
print(brought())
"""


@pytest.mark.parametrize(
    "setting", ["", "MALLOC_TOP_PAD_=0", "GLIBC_TUNABLES=glibc.malloc.perturb=0"]
)
def test_memory_is_kept_within_alone_and_only_where_nobody_set_the_allocator_up(setting):
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("this is no glibc")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    name, _, value = setting.partition("=")
    environment = clean | ({name: value} if name else {})
    done = subprocess.run(
        [sys.executable, "-c", COUNT], env=environment, capture_output=True, text=True, check=True
    )
    before, within, after, again, at_last = map(float, done.stdout.split())
    if before < 7.5:
        pytest.skip("this machine gives memory in larger pieces than pages")
    assert min(after, at_last) > 7.5
    assert min(within, again) > 7.5 if setting else max(within, again) < 2


def test_other_c_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))  # as on macOS, musl and Windows
    assert allocator._glibc() is None
    with allocator.memory_kept():
        pass
