"""What a machine may refuse: room on a disk, large files, a folder to write to, shared memory."""

import contextlib
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

NOBODY = 65534


@contextlib.contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file of this process may become larger than `size` bytes, as after `ulimit -f`."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that every user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="realitycheck-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for path in [folder, *folder.rglob("*")]:
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
        shutil.rmtree(folder)


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing below `folder` can be written: root, who may write anywhere, becomes nobody."""
    for path in [*folder.rglob("*"), folder]:
        if not path.is_symlink():
            path.chmod(0o555 if path.is_dir() else 0o444)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def on_a_small_disk(
    folder: Path, size: str, command: list, env=os.environ
) -> subprocess.CompletedProcess:
    """Runs a command while `folder` is a file system of its own with so much room.

    What was in the folder is copied there first; a listing of what is there afterwards follows
    the command's output, a line `name size` per file.
    """
    script = (
        'set -e; cp -a "$1" "$1.kept"; mount -t tmpfs -o "size=$2" none "$1"; '
        'cp -a "$1.kept/." "$1"; shift 2; status=0; "$@" || status=$?; '
        'find "$OLD" -type f -printf "%P %s\\n"; exit $status'
    )
    inside = _mounting()
    return subprocess.run(
        [*inside, "bash", "-c", script, "-", str(folder), size, *map(str, command)],
        env={**env, "OLD": str(folder)},
        capture_output=True,
        text=True,
        timeout=180,
    )


def with_shared_memory(size: str, command: list, **options) -> subprocess.CompletedProcess:
    """Runs a command whose /dev/shm has so much room, as in a container."""
    script = 'mount -t tmpfs -o "size=$1" none /dev/shm && shift && exec "$@"'
    return subprocess.run(
        [*_mounting(), "bash", "-c", script, "-", size, *map(str, command)],
        capture_output=True,
        text=True,
        timeout=600,
        **options,
    )


def _mounting() -> list[str]:
    """How a command is run so that it may mount; skips the test where it may not."""
    inside = ["unshare", "--user", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*inside, "true"]).returncode:
        pytest.skip("no file system can be mounted here")
    return inside
