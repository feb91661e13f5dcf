"""Reads the tags of TIFF directories: of TIFF files, of EXIF, and of what cameras call raw.

Pillow gives up a whole directory for one damaged entry, and shows no directory below the first.
Here each tag stands alone, and every loop is bounded.
Source: TIFF revision 6.0, BigTIFF, EXIF 2.32.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SIZES |= {16: 8, 17: 8, 18: 8}
_MOST_ENTRIES = 1000  # of a directory
_MOST_NUMBERS = 200_000  # of an entry
_MOST_BYTES = 8 << 20  # of a text


@dataclass(frozen=True)
class Directory:
    """One directory of tags.

    Attributes:
        data: what the directory lies in.
        order: "<" or ">", as `struct` calls the byte order.
        entries: tag to type, number of values, and place of the first.
        following: place of the next directory, or 0.
    """

    data: bytes
    order: str
    entries: dict[int, tuple[int, int, int]]
    following: int

    def __contains__(self, tag: int) -> bool:
        return tag in self.entries

    def raw(self, tag: int) -> bytes:
        """The bytes of a tag's values; b"" without it, or where they lie outside."""
        kind, count, place = self.entries.get(tag, (0, 0, 0))
        size = min(_SIZES.get(kind, 0) * count, _MOST_BYTES)
        return self.data[place : place + size]

    def numbers(self, tag: int) -> list[int]:
        """The whole numbers of a tag; as many of them as there are."""
        kind, count, place = self.entries.get(tag, (0, 0, 0))
        letter = {1: "B", 3: "H", 4: "I", 7: "B", 13: "I", 16: "Q", 18: "Q"}.get(kind)
        inside = (len(self.data) - place) // _SIZES.get(kind, 1)
        if letter is None or inside < 1:
            return []
        count = min(count, inside, _MOST_NUMBERS)
        return list(struct.unpack_from(f"{self.order}{count}{letter}", self.data, place))

    def number(self, tag: int, otherwise: int = 0) -> int:
        """The first whole number of a tag."""
        return next(iter(self.numbers(tag)), otherwise)

    def below(self, tag: int) -> Iterator["Directory"]:
        """The directories that a tag points to, eight at most."""
        for place in self.numbers(tag)[:8]:
            if found := _directory(self.data, self.order, self._wide, place):
                yield found

    @property
    def _wide(self) -> bool:
        return self.data[2:4] in (b"+\0", b"\0+")


def first(data: bytes) -> Directory | None:
    """The first directory of a TIFF structure; None where there is none.

    Args:
        data: bytes that begin with the byte order ("II" or "MM").
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 16:
        return None
    (version,) = struct.unpack_from(order + "H", data, 2)
    if version == 43:
        (place,) = struct.unpack_from(order + "Q", data, 8)
        return _directory(data, order, True, place)
    (place,) = struct.unpack_from(order + "I", data, 4)
    return _directory(data, order, False, place)


def chain(data: bytes) -> Iterator[Directory]:
    """The directories of a TIFF structure one after the other, sixteen at most."""
    found, seen = first(data), set[int]()
    while found and len(seen) < 16:
        yield found
        if found.following in seen or not found.following:
            return
        seen.add(found.following)
        found = _directory(data, found.order, found._wide, found.following)


def _directory(data: bytes, order: str, wide: bool, place: int) -> Directory | None:
    head, each, inline = (8, 20, 8) if wide else (2, 12, 4)
    if place < 8 or place + head > len(data):
        return None
    (count,) = struct.unpack_from(order + ("Q" if wide else "H"), data, place)
    entries: dict[int, tuple[int, int, int]] = {}
    start = place + head
    for number in range(min(count, _MOST_ENTRIES)):
        at = start + number * each
        if at + each > len(data):
            break
        tag, kind, values = struct.unpack_from(order + ("HHQ" if wide else "HHI"), data, at)
        where = at + each - inline
        if _SIZES.get(kind, 0) * values > inline:
            (where,) = struct.unpack_from(order + ("Q" if wide else "I"), data, where)
        entries.setdefault(tag, (kind, values, where))
    end = start + count * each
    following = 0
    if end + inline <= len(data):
        (following,) = struct.unpack_from(order + ("Q" if wide else "I"), data, end)
    return Directory(data, order, entries, following)
