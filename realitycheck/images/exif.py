"""Reads the few EXIF tags that say something about a picture's origin.

Position, serial numbers and names of people are not read. Source: EXIF 2.32, TIFF 6.0, and
Windows' own tags (XPTitle and others).
"""

import re
from dataclasses import dataclass, field

from realitycheck.images import containers, tiff
from realitycheck.images.text import decoded, user_comment

_NAMES = {
    270: "ImageDescription",
    271: "Make",
    272: "Model",
    305: "Software",
    315: "Artist",
    40091: "XPTitle",
    40092: "XPComment",
    40094: "XPKeywords",
    40095: "XPSubject",
}
_INNER, _COMMENT, _MAKER_NOTE = 34665, 37510, 37500
_EXPOSURE = (33434, 33437, 34855)  # time, f-number, sensitivity
_INTEROPERABILITY = 40965
_TAKEN = (36867, 36868)  # when exposed, when digitised
_YEAR = re.compile(rb"((?:19|20)\d\d):\d\d:\d\d ")
_SCHEME = re.compile(rb"[a-z0-9_]{2,16}\0?")


@dataclass
class Tags:
    """What EXIF says about the origin.

    Attributes:
        texts: tag to text.
        exposed: there is an exposure time, an f-number or a sensitivity.
        adobe_rgb: the colours are those of Adobe RGB, by the camera's own rule (DCF 2.0).
        year: when it was exposed or digitised; None where that is not said.
    """

    texts: dict[str, str] = field(default_factory=dict)
    exposed: bool = False
    adobe_rgb: bool = False
    year: int | None = None


def tags(found: containers.Metadata) -> Tags:
    """Reads all EXIF of a file; the XMP and IPTC that lie inside are added to `found`."""
    read = Tags()
    for blob in found.exif:
        main = containers.tags(blob, found)
        if main is None:
            continue
        for tag, name in _NAMES.items():
            if tag in main:
                wide = name.startswith("XP")
                _put(read, name, decoded(main.raw(tag), order="<" if wide else "", wide=wide))
        for inner in main.below(_INNER):
            _put(read, "UserComment", user_comment(inner.raw(_COMMENT), inner.order))
            note = inner.raw(_MAKER_NOTE)
            if len(note) < 20 and _SCHEME.fullmatch(note):
                _put(read, "MakerNote", note.rstrip(b"\0").decode())
            read.exposed |= any(tag in inner for tag in _EXPOSURE)
            read.adobe_rgb |= _is_adobe_rgb(inner)
            read.year = read.year or _year(inner)
    return read


def orientation(found: containers.Metadata) -> int:
    """How a picture is to be turned (tag 274), 1 where nothing says so."""
    for blob in found.exif:
        if (main := tiff.first(blob)) and 274 in main:
            return main.number(274, 1)
    return 1


def _put(read: Tags, name: str, text: str) -> None:
    if text and len(text) > len(read.texts.get(name, "")):
        read.texts[name] = text


def _year(inner: tiff.Directory) -> int | None:
    dates = (_YEAR.match(inner.raw(tag)) for tag in _TAKEN)
    return next((int(date[1]) for date in dates if date), None)


def _is_adobe_rgb(inner: tiff.Directory) -> bool:
    return any(directory.raw(1).startswith(b"R03") for directory in inner.below(_INTEROPERABILITY))
