import os
import platform
import subprocess
import sys

import pytest

from occamhead.vision import allocator

pytest.importorskip("resource")

# Of six large tensors, how many the system brought, in pages: before, and within; how many went
# back at the end; and of six larger ones, for which no gap was left, how many it brought then.
COUNT = """
import contextlib, resource, torch
from pathlib import Path
from occamhead.vision.allocator import memory_kept

def brought(mebibytes):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(6):
        torch.ones(mebibytes << 18)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    return faults * resource.getpagesize() / (mebibytes << 20)

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

print(brought(64))
with contextlib.suppress(KeyError), memory_kept():
    print(brought(64))
    kept = resident()
    raise KeyError
print((kept - resident()) / (64 << 20))
print(brought(256))
"""


@pytest.mark.parametrize(
    "setting",
    [
        "",
        "MALLOC_TOP_PAD_=0",
        pytest.param("GLIBC_TUNABLES=glibc.malloc.perturb=0", marks=pytest.mark.slow),
    ],
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
    before, within, returned, after = map(float, done.stdout.split())
    if before < 5.5:
        pytest.skip("this machine gives memory in larger pieces than pages")
    assert within > 5.5 if setting else within < 3 and returned > 0.9
    assert after > 5.5


def test_other_c_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))  # as on macOS, musl and Windows
    assert allocator._glibc() is None
    with allocator.memory_kept():
        pass
