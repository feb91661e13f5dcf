"""Answers about many pictures, kept on disk for as long as an upload: to open, and to pack.

One file for each: a ZIP of what the answer holds, named by a token that only its visitor was told.
Nothing of them stays in memory, and `uploads.forget` deletes them with the uploads.
"""

import json
import re
import secrets
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder

from realitycheck.errors import PictureError
from realitycheck.files import encodable
from realitycheck.scan import rows
from realitycheck.web.answer import Answer
from realitycheck.web.uploads import cached

FOLDER = "answers"
_TOKEN = re.compile("[0-9a-f]{32}")
_ABOUT, _PICTURE, _OVERLAY, _MAP = "about.json", "picture", "overlay", "map-{}"


@dataclass(frozen=True)
class Kept:
    """What is known of one picture of many.

    Attributes:
        file: its name.
        answer: None where it could not be examined.
        error: why not, or "".
    """

    file: str
    answer: Answer | None = None
    error: str = ""

    def row(self) -> dict[str, Any]:
        """Its row in a table, see `scan.rows`."""
        if self.answer is None:
            return rows.failed(self.file, PictureError(self.error))
        return rows.row(self.file, self.answer.report)


def keep(kept: Kept) -> str:
    """Writes an answer down.

    Returns:
        The token that `read` takes.

    Raises:
        gr.Error: it cannot be written; nothing of it is left.
    """
    token = secrets.token_hex(16)
    about: dict[str, Any] = {"file": kept.file, "error": kept.error}
    with cached(_place(token)) as temporary, zipfile.ZipFile(temporary, "w") as file:
        if kept.answer is not None:
            about |= {"report": kept.answer.report, "maps": list(kept.answer.maps)}
            file.writestr(_PICTURE, kept.answer.picture)
            file.writestr(_OVERLAY, kept.answer.overlay)
            for number, layer in enumerate(kept.answer.maps.values()):
                file.writestr(_MAP.format(number), layer)
        file.writestr(_ABOUT, json.dumps(encodable(about)))
    return token


def read(token: Any) -> Kept:
    """The answer of a token.

    Raises:
        PictureError: there is none, or its time is over.
    """
    try:
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise FileNotFoundError
        with zipfile.ZipFile(_place(token)) as file:
            about = json.loads(file.read(_ABOUT))
            if "report" not in about:
                return Kept(about["file"], error=about["error"])
            names = about["maps"]
            maps = {tuple(name): file.read(_MAP.format(i)) for i, name in enumerate(names)}
            answer = Answer(about["report"], file.read(_PICTURE), maps, file.read(_OVERLAY))
            return Kept(about["file"], answer)
    except OSError as error:
        raise PictureError(
            "This answer is no longer here: all are deleted within the hour. Check the picture "
            "again."
        ) from error


def _place(token: str) -> Path:
    return Path(get_upload_folder()) / FOLDER / f"{token}.zip"
