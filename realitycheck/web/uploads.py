"""Files that visitors send and that are made for them: which may be opened, and for how long."""

import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from gradio.utils import get_upload_folder

from realitycheck import images
from realitycheck.errors import PictureError, WriteError
from realitycheck.files import atomic_write, why_unwritable
from realitycheck.web import calls

UPLOAD_TTL = 2700  # seconds a visitor's files stay, and a third more until it is looked
NAME = 150  # bytes of a file name
T = TypeVar("T")
log = logging.getLogger(__name__)


def to_cache(name: str, content: str | bytes) -> str:
    """Writes a file where Gradio serves it from, and deletes it when its time has come.

    Args:
        name: of the file; so much of it is kept as every file system takes.
        content: what to write.

    Raises:
        gr.Error: it cannot be written; nothing of it is left.
    """
    path = Path(get_upload_folder()) / secrets.token_hex(16) / short_name(name)
    data = content if isinstance(content, bytes) else content.encode("utf-8", "replace")
    with cached(path) as temporary:
        temporary.write_bytes(data)
    return str(path)


def short_name(name: str) -> str:
    """So much of a file's name as every file system takes, with its suffix."""
    stem, suffix = Path(name).stem, Path(name).suffix
    return stem.encode("utf-8", "replace")[:NAME].decode("utf-8", "ignore") + suffix


@contextlib.contextmanager
def cached(path: Path) -> Iterator[Path]:
    """`files.atomic_write` in Gradio's folder; what goes wrong is said on the page.

    Raises:
        gr.Error: it cannot be written; nothing of it is left.
    """
    try:
        with atomic_write(path) as temporary:
            yield temporary
    except WriteError as error:
        log.warning("%s", error)  # which names the place, a visitor's sentence does not
        reason, _ = why_unwritable(error) or ("its disk refused", "")
        raise gr.Error(
            f"The server could not write the file because {reason}. Tell whoever runs this page.",
            print_exception=False,
        ) from error


def ask(question: Callable[[str], T], picture: dict[str, Any] | None) -> T:
    """Asks about a picture that a visitor chose; what goes wrong is said on the page.

    Raises:
        gr.Error: no picture was chosen, or it cannot be examined.
    """
    with _said():
        return question(_chosen(picture))


def ask_each(question: Callable[[str], Iterator[T]], picture: dict[str, Any] | None) -> Iterator[T]:
    """As `ask`, where the answer comes in parts."""
    with _said():
        yield from question(_chosen(picture))


@contextlib.contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except PictureError as error:
        raise gr.Error(str(error), print_exception=False) from error


def _chosen(picture: dict[str, Any] | None) -> str:
    if picture is None:
        raise gr.Error("Choose a picture first.", print_exception=False)
    if not picture.get("path"):
        raise gr.Error(calls.wrong_file(picture), print_exception=False)
    return allowed(picture["path"])


def allowed(picture: str) -> str:
    """The resolved path of an upload.

    Raises:
        PictureError: anything else.
    """
    return str(images.allowed_path(picture, [get_upload_folder()]))


def forget_regularly(demo: gr.Blocks) -> None:
    """Deletes old files for as long as the process lives."""
    every, keep = demo.delete_cache
    while True:
        time.sleep(every)
        with contextlib.suppress(OSError):  # once more next time
            forget(keep)


def forget(age: float) -> None:
    """Deletes the files older than `age` seconds.

    Gradio's own cleaning knows nothing of an upload that broke off or of the server before this
    one, and ends for good when a visitor names a folder as a picture.
    """
    for file in Path(get_upload_folder()).rglob("*"):
        with contextlib.suppress(OSError):  # Gradio was quicker
            old = time.time() - file.lstat().st_ctime >= age
            if old and (file.is_symlink() or file.is_file()):
                file.unlink()
