"""Takes metadata out of picture files: only from where a format's standard puts it, and bounded.

Bytes behind the end of a picture are no part of it. Nothing here decodes pixels, and a damaged
block costs itself alone: what can be read around it is read.

Sources: JPEG (ITU T.81), PNG (third edition), WebP container, GIF89a, XMP part 3 (storage in
files), Photoshop image resources, ISO base media file format (read by Pillow's plugins).
"""

import contextlib
import io
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from PIL import Image

from realitycheck.images import tiff
from realitycheck.images.formats import FORMATS, READ_ERRORS
from realitycheck.images.text import decoded

MOST_BYTES = 8 << 20  # of one block, and of one unpacked text
MOST_UNPACKED = 16 << 20  # of all unpacked texts of a file together
MOST_BLOCKS = 20_000  # walked over; an honest file of 25 MB has some thousand
MOST_TEXTS = 500

_XMP, _EXTENDED = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
_EXIF, _PHOTOSHOP = b"Exif\0", b"Photoshop 3.0\0"
_XMP_KEY = "XML:com.adobe.xmp"
# Of JPEG: a marker within pixel data that is neither a filler nor a restart.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
_FILL = re.compile(rb"\xff{2,}")
_START_OF_SCAN, _END = 0xDA, 0xD9  # of JPEG
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length


@dataclass
class Metadata:
    """What a file holds beside its pixels, still packed.

    Attributes:
        container: "JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF", "HEIF", "BMP" or "".
        exif: TIFF structures.
        xmp: packets, each in any encoding.
        iptc: records of IPTC-IIM.
        texts: container, key and text of comments and PNG texts.
        blocks: how many were walked over.
    """

    container: str = ""
    exif: list[bytes] = field(default_factory=list)
    xmp: list[bytes] = field(default_factory=list)
    iptc: list[bytes] = field(default_factory=list)
    texts: list[tuple[str, str, str]] = field(default_factory=list)
    blocks: int = 0

    @property
    def crowded(self) -> bool:
        """Whether a file has more blocks than any honest one: other readers would take long."""
        return self.blocks >= MOST_BLOCKS


def metadata(data: bytes) -> Metadata:
    """Everything that a picture file says in words. Never raises."""
    found = Metadata(container(data))
    reader = _READERS.get(found.container)
    if reader:
        with contextlib.suppress(*READ_ERRORS):  # what was found before the damage stays
            reader(data, found)
    return found


def container(data: bytes) -> str:
    """Pillow's name of the format that a file begins as, or ""."""
    if data[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:4] == b"GIF8":
        return "GIF"
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if data[:2] == b"BM":
        return "BMP"
    if data[4:8] == b"ftyp":
        brands = data[8 : min(64, int.from_bytes(data[:4], "big"))]
        return "AVIF" if b"avif" in brands or b"avis" in brands else "HEIF"
    return ""


# --- JPEG -----------------------------------------------------------------------------------


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Marker, its place and content of each segment up to the end of the first image.

    The end itself is given with b""; where it is missing, nothing stands in its place.
    """
    at = 2
    for _ in range(MOST_BLOCKS):
        if fill := _FILL.match(data, at):
            at = fill.end() - 1
        if data[at : at + 1] != b"\xff" or at + 2 > len(data):
            # Not at a marker: a wrong length, or rubbish between segments. Readers look on.
            following = _MARKER.search(data, at)
            if following is None:
                return
            at = following.start()
        marker = data[at + 1]
        at += 2
        if marker == _END:
            yield _END, at - 2, b""
            return
        if marker in _ALONE:
            continue
        if at + 2 > len(data):
            return
        length = int.from_bytes(data[at : at + 2], "big")
        yield marker, at - 2, data[at + 2 : at + length]
        at += max(2, length)
        if marker == _START_OF_SCAN:
            following = _MARKER.search(data, at)
            if following is None:
                return
            at = following.start()


def _jpeg(data: bytes, found: Metadata) -> None:
    extended: dict[bytes, list[tuple[int, bytes]]] = {}
    resources = b""
    for marker, _, body in jpeg_segments(data):
        found.blocks += 1
        if marker == 0xE1 and body.startswith(_XMP):
            found.xmp.append(body[len(_XMP) :])
        elif marker == 0xE1 and body.startswith(_EXTENDED):
            name, rest = body[len(_EXTENDED) :][:32], body[len(_EXTENDED) + 32 :]
            if len(rest) > 8:
                (start,) = struct.unpack_from(">I", rest, 4)
                extended.setdefault(name, []).append((start, rest[8:]))
        elif marker == 0xE1 and body.startswith(_EXIF):
            _add_exif(found, body[6:])
        elif marker == 0xED and body.startswith(_PHOTOSHOP):
            resources += body[len(_PHOTOSHOP) :]
        elif marker == 0xFE and body:
            found.texts.append(("JPEG comment", "Comment", _bytes_to_text(body)))
    _photoshop(resources, found)
    # A main packet names the extended one that belongs to it: others are leftovers.
    main = b"".join(packet.replace(b"\0", b"") for packet in found.xmp).upper()
    for name, parts in extended.items():
        if name.upper() in main:
            pieces = dict(sorted(parts))
            found.xmp.append(b"".join(pieces.values())[:MOST_BYTES])


def _add_exif(found: Metadata, body: bytes) -> None:
    if body[:2] in (b"II", b"MM") or not found.exif:
        found.exif.append(body)
    else:
        found.exif[-1] += body  # EXIF too long for one segment goes on in the next


def _photoshop(data: bytes, found: Metadata) -> None:
    """Image resources of Photoshop, which hold IPTC-IIM (1028) and XMP (1060)."""
    at = 0
    for _ in range(1000):
        if data[at : at + 4] not in (b"8BIM", b"PHUT", b"AgHg", b"DCSR", b"MeSa"):
            return
        (number,) = struct.unpack_from(">H", data, at + 4)
        name = data[at + 6] + 1
        at += 6 + name + name % 2
        (size,) = struct.unpack_from(">I", data, at)
        body = data[at + 4 : at + 4 + size]
        if number == 1028:
            found.iptc.append(body)
        elif number == 1060:
            found.xmp.append(body)
        at += 4 + size + size % 2


def _bytes_to_text(body: bytes) -> str:
    return decoded(body[:MOST_BYTES])


# --- PNG ------------------------------------------------------------------------------------


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Name, content and checksum of each chunk up to the end; a cut chunk is given as it is."""
    at = 8
    for _ in range(MOST_BLOCKS):
        if at + 8 > len(data):
            return
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        yield kind, data[at + 8 : at + 8 + length], data[at + 8 + length : at + 12 + length]
        if kind == b"IEND":
            return
        at += 12 + length


def unpacked(packed: bytes, most: int) -> bytes:
    """Up to `most` bytes of zlib data; what came before a damage."""
    unpacker = zlib.decompressobj()
    try:
        return unpacker.decompress(packed, most)
    except zlib.error:
        return b""


def _png(data: bytes, found: Metadata) -> None:
    room = MOST_UNPACKED
    for kind, body, _ in png_chunks(data):
        found.blocks += 1
        if kind == b"eXIf":
            found.exif.append(body.removeprefix(b"Exif\0\0"))
            continue
        if kind not in (b"tEXt", b"zTXt", b"iTXt") or len(found.texts) >= MOST_TEXTS:
            continue
        key, raw, packed = _png_text(kind, body)
        if packed:
            raw = unpacked(raw, min(MOST_BYTES, room))
            room -= len(raw)
        raw = raw[:MOST_BYTES]
        if key == _XMP_KEY:
            found.xmp.append(raw)
        elif key.lower().startswith("raw profile type "):
            _raw_profile(key[17:].lower(), raw, found)
        else:
            found.texts.append(("PNG text", key, _bytes_to_text(raw)))


def _png_text(kind: bytes, body: bytes) -> tuple[str, bytes, bool]:
    key, _, rest = body.partition(b"\0")
    name = key[:200].decode("latin-1")
    if kind == b"tEXt":
        return name, rest, False
    if kind == b"zTXt":
        return name, rest[1:], True
    _, _, text = rest[2:].partition(b"\0")  # the language
    _, _, text = text.partition(b"\0")  # the translated key
    return name, text, rest[:1] == b"\1"


def _raw_profile(kind: str, raw: bytes, found: Metadata) -> None:
    """A profile as ImageMagick writes it: its name, its length, and hexadecimal digits."""
    parts = raw.split(None, 2)
    if len(parts) < 3:
        return
    digits = re.sub(rb"[^0-9a-fA-F]", b"", parts[2])
    body = bytes.fromhex(digits[: len(digits) // 2 * 2].decode())
    if kind in ("xmp", "app1") and (body.startswith(_XMP) or not body.startswith(_EXIF)):
        found.xmp.append(body.removeprefix(_XMP))
    elif kind in ("exif", "app1"):
        found.exif.append(body.removeprefix(b"Exif\0\0"))
    elif kind in ("iptc", "8bim"):
        if body.startswith((b"8BIM", _PHOTOSHOP)):
            _photoshop(body.removeprefix(_PHOTOSHOP), found)
        else:
            found.iptc.append(body)


# --- WebP, GIF, TIFF, AVIF, HEIF ------------------------------------------------------------


def riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each chunk of a WebP file."""
    end = min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    at = 12
    for _ in range(MOST_BLOCKS):
        if at + 8 > end:
            return
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], data[at + 8 : min(end, at + 8 + size)]
        at += 8 + size + size % 2


def _webp(data: bytes, found: Metadata) -> None:
    for kind, body in riff_chunks(data):
        found.blocks += 1
        if kind == b"EXIF":
            found.exif.append(body.removeprefix(b"Exif\0\0"))
        elif kind in (b"XMP ", b"XMP\0"):
            found.xmp.append(body)


def _gif(data: bytes, found: Metadata) -> None:
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    for _ in range(MOST_BLOCKS):
        kind = data[at : at + 1]
        found.blocks += 1
        if kind == b"!":
            label, start = data[at + 1], at + 2
            at, body = _sub_blocks(data, start)
            if label == 0xFF and data[start + 1 : start + 12] == b"XMP DataXMP":
                # The packet stands there as it is; 258 bytes behind it make the blocks come out.
                packet = data[start + 12 : max(start + 12, at - 258)]
                found.xmp.append(packet if b"RDF>" in packet[-200:] else body[11:])
            elif label == 0xFE and len(found.texts) < MOST_TEXTS:
                found.texts.append(("GIF comment", "Comment", _bytes_to_text(body)))
        elif kind == b",":
            colours = data[at + 9]
            at += 10 + (3 << (colours & 7) + 1 if colours & 0x80 else 0)
            at, _ = _sub_blocks(data, at + 1)
        else:
            return


def _sub_blocks(data: bytes, at: int) -> tuple[int, bytes]:
    """Place behind a row of blocks, and their content."""
    parts = []
    while size := data[at]:
        parts.append(data[at + 1 : at + 1 + size])
        at += 1 + size
    return at + 1, b"".join(parts)


def _tiff(data: bytes, found: Metadata) -> None:
    found.exif.append(data)


def _boxes(data: bytes, found: Metadata) -> None:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        exif, xmp = image.info.get("exif"), image.info.get("xmp")
    if isinstance(exif, bytes):
        found.exif.append(exif[4:] if exif[4:10] == b"Exif\0\0" else exif)
        found.exif[-1] = found.exif[-1].removeprefix(b"Exif\0\0")
    if isinstance(xmp, bytes):
        found.xmp.append(xmp)


_READERS = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WEBP": _webp,
    "GIF": _gif,
    "TIFF": _tiff,
    "AVIF": _boxes,
    "HEIF": _boxes,
}


def tags(blob: bytes, found: Metadata) -> tiff.Directory | None:
    """The first directory of EXIF or of a TIFF file; what it embeds is added to `found`."""
    main = tiff.first(blob)
    if main is None:
        return None
    if 700 in main:
        found.xmp.append(main.raw(700))
    if 33723 in main:
        found.iptc.append(main.raw(33723))
    if 34377 in main:
        _photoshop(main.raw(34377), found)
    return main


# --- colours of AVIF and HEIF ---------------------------------------------------------------


def nclx(data: bytes) -> tuple[int, int] | None:
    """Primaries and curve (H.273) of the picture that a file shows, not of those beside it.

    Files with a gain map hold a second picture whose curve is HDR; the first one is none.
    Source: ISO 14496-12 (boxes), ISO 23008-12 (items and their properties).
    """
    meta = next((body[4:] for kind, body in _box(data) if kind == b"meta"), b"")
    parts = dict(_box(meta))
    primary = parts.get(b"pitm", b"")
    wide = primary[:1] != b"\0"
    number = int.from_bytes(primary[4 : 8 if wide else 6], "big")
    inside = dict(_box(parts.get(b"iprp", b"")))
    properties = [*_box(inside.get(b"ipco", b""))]
    for index in _associated(inside.get(b"ipma", b""), number):
        kind, body = properties[index - 1] if 0 < index <= len(properties) else (b"", b"")
        if kind == b"colr" and body[:4] == b"nclx" and len(body) >= 8:
            primaries, curve = struct.unpack_from(">HH", body, 4)
            return primaries, curve
    return None


def boxes_end(data: bytes) -> int:
    """Where the last box of a file says that it ends; 0 where its pixels have not begun."""
    at, pixels = 0, False
    for _ in range(1000):
        if at + 8 > len(data):
            break
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        pixels |= data[at + 4 : at + 8] == b"mdat"
        at = at + size if size >= 8 else len(data)
    return at if pixels else 0


def _box(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    for _ in range(1000):
        if at + 8 > len(data):
            return
        size, head = int.from_bytes(data[at : at + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        size = size or len(data) - at
        yield data[at + 4 : at + 8], data[at + head : at + size]
        at += max(head, size)


def _associated(table: bytes, item: int) -> Iterator[int]:
    """Numbers of the properties that belong to an item (box "ipma")."""
    if len(table) < 8:
        return
    wide_item, wide_index = table[0] > 0, table[3] & 1
    (count,) = struct.unpack_from(">I", table, 4)
    at = 8
    for _ in range(min(count, 1000)):
        step = 4 if wide_item else 2
        found = int.from_bytes(table[at : at + step], "big")
        number, at = table[at + step], at + step + 1
        for _ in range(number):
            raw = int.from_bytes(table[at : at + 1 + wide_index], "big")
            at += 1 + wide_index
            if found == item:
                yield raw & (0x7FFF if wide_index else 0x7F)
