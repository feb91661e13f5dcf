"""Files that nobody means well with, by a name that says what each tries."""

import io
import struct
import zipfile
import zlib

import numpy as np
from helpers import drawing
from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
FUZZED = 15  # of each format
HEADER = 200  # bytes
LARGEST = "as large as it gets.png"


def files() -> dict[str, bytes]:
    """About two hundred of them, the same each time."""
    good = {kind: _encoded(drawing(96, 80, 5), kind) for kind in FORMATS}
    return {
        **_bombs(),
        **_cut_short(good),
        **_fuzzed(good),
        **_no_pictures(),
        **_polyglots(good["JPEG"], good["GIF"], good["PNG"]),
        **_metadata(),
        **_odd_shapes(),
        **_animations(),
        **{f"named {kind.lower()}.txt": data for kind, data in good.items()},
    }


def _encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, *extra: bytes, rows: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", header),
            *extra,
            png_chunk(b"IDAT", zlib.compress(rows)),
            png_chunk(b"IEND", b""),
        )
    )


def _bombs() -> dict[str, bytes]:
    """Little data that asks for much memory."""
    gif = bytearray(_encoded(drawing(96, 80), "GIF"))
    gif[6:10] = struct.pack("<HH", 65535, 65535)
    bmp = bytearray(_encoded(drawing(96, 80), "BMP"))
    bmp[18:26] = struct.pack("<ii", 2_000_000_000, 2_000_000_000)
    jpeg = bytearray(_encoded(drawing(96, 80), "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 65500, 65500)
    webp = bytearray(_encoded(drawing(96, 80), "WEBP"))
    frame = webp.index(b"\x9d\x01\x2a")
    webp[frame + 3 : frame + 7] = struct.pack("<HH", 16383, 16383)
    return {
        "real bomb.png": _encoded(Image.new("1", (20000, 20000)), "PNG"),
        "declared.png": _png(2**31 - 1, 2**31 - 1),
        "just too large.png": _png(8001, 5001, rows=bytes(5001)),
        LARGEST: _encoded(Image.new("L", (8000, 5000)), "PNG"),
        "large and cut.png": _png(6000, 6000, rows=bytes(18001)),
        "endless rows.png": _png(100, 100, rows=bytes(50_000_000)),
        "declared.gif": bytes(gif),
        "declared.bmp": bytes(bmp),
        "declared.jpg": bytes(jpeg),
        "declared.tif": _tiff(4_000_000_000, 4_000_000_000),
        "negative.bmp": bytes(bmp[:18]) + struct.pack("<ii", -96, -80) + bytes(bmp[26:]),
        "strips.tif": _tiff(6000, 6000, strips=2**28),
        "declared.webp": bytes(webp),
    }


def _tiff(width: int, height: int, strips: int = 1) -> bytes:
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 8),  # deflate
        (262, 3, 1, 1),
        (273, 4, strips, 8),
        (277, 3, 1, 1),
        (278, 4, 1, height),
        (279, 4, strips, 100),
    ]
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + table + bytes(4)


def _cut_short(good: dict[str, bytes]) -> dict[str, bytes]:
    return {
        f"cut at {share} percent.{kind.lower()}": data[: len(data) * share // 100]
        for kind, data in good.items()
        for share in (1, 10, 50, 95)
    }


def _fuzzed(good: dict[str, bytes]) -> dict[str, bytes]:
    rng = np.random.default_rng(7)
    made = {}
    for kind, data in good.items():
        for number in range(FUZZED):
            bad = np.frombuffer(data, np.uint8).copy()
            bad[rng.integers(0, min(HEADER, len(bad)), 6)] ^= rng.integers(1, 256, 6, np.uint8)
            made[f"fuzzed {number}.{kind.lower()}"] = bad.tobytes()
    return made


def _no_pictures() -> dict[str, bytes]:
    rng = np.random.default_rng(8)
    svg = (
        b"<svg xmlns='http://www.w3.org/2000/svg' width='99' height='99'><script>alert(1)</script>"
        b"<image href='file:///etc/passwd'/></svg>"
    )
    return {
        "nothing.jpg": b"",
        "one byte.png": b"\x89",
        "zeros.bmp": bytes(5000),
        "random.jpg": rng.bytes(5000),
        "random with a good start.jpg": b"\xff\xd8\xff\xe0" + rng.bytes(5000),
        "random.heic": b"\0\0\0\x18ftypheic" + rng.bytes(5000),
        "random.avif": b"\0\0\0\x18ftypavif" + rng.bytes(5000),
        "text.png": b"This is a text.\n" * 100,
        "drawing.svg": svg,
        "drawing.png": svg,
        "page.jpg": b"<!doctype html><script>alert(1)</script>",
        "paper.png": b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF",
        "program.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n(x) run\n",
        "archive.png": _zip(),
        "elf.jpg": b"\x7fELF" + bytes(300),
    }


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../evil.txt", "evil")
    return buffer.getvalue()


def _polyglots(jpeg: bytes, gif: bytes, png: bytes) -> dict[str, bytes]:
    script = b"/*" + gif + b"*/=1;alert(1)"
    return {
        "picture and archive.jpg": jpeg + _zip(),
        "picture and page.jpg": jpeg + b"<html><script>alert(1)</script>",
        "picture and script.gif": gif + b"=1;alert(1)",
        "script around a picture.gif": script,
        "picture and paper.png": png + b"%PDF-1.7\n%%EOF",
        "two pictures.png": png + jpeg,
        "picture.html": jpeg,
    }


def _metadata() -> dict[str, bytes]:
    picture = drawing(96, 80, 6)
    entities = b"".join(
        b'<!ENTITY e%d "%s">' % (level, b"&e%d;" % (level - 1) * 10) for level in range(1, 12)
    )
    bomb = b'<!DOCTYPE x [<!ENTITY e0 "haha">' + entities + b"]><x>&e11;</x>"
    outside = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'
    deep = b"<a>" * 200_000 + b"</a>" * 200_000
    rows = b"".join(b"\0" + row.tobytes() for row in np.asarray(picture))
    return {
        "a long text.png": _png(
            96, 80, png_chunk(b"tEXt", b"parameters\0" + b"Steps: 1, " * 500_000), rows=rows
        ),
        "a packed text.png": _png(
            96, 80, png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(90_000_000))), rows=rows
        ),
        "a packed profile.png": _png(
            96, 80, png_chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(90_000_000))), rows=rows
        ),
        "deep prompt.png": _png(
            96, 80, png_chunk(b"tEXt", b"prompt\0" + b'{"a":' * 30_000), rows=rows
        ),
        "entity bomb.webp": _encoded(picture, "WEBP", xmp=bomb),
        "entity bomb.jpg": _encoded(picture, "JPEG", xmp=bomb),
        "entity of a file.png": _encoded(picture, "WEBP", xmp=outside),
        "deep elements.webp": _encoded(picture, "WEBP", xmp=deep),
        "broken tags.jpg": _encoded(
            picture, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0" + b"\xff" * 60
        ),
        "tags in a ring.jpg": _encoded(
            picture,
            "JPEG",
            exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0",
        ),
        "a comment that lies.jpg": b"\xff\xd8\xff\xfe\xff\xff" + b"x" * 100,
    }


def _odd_shapes() -> dict[str, bytes]:
    return {
        "a line.png": _encoded(Image.new("RGB", (60_000, 1)), "PNG"),
        "a column.png": _encoded(Image.new("L", (1, 60_000)), "PNG"),
        "a line.jpg": _encoded(Image.new("RGB", (65_000, 1)), "JPEG"),
        "a ribbon.png": _encoded(Image.new("L", (300_000, 64)), "PNG"),
        "a dot.gif": _encoded(Image.new("L", (1, 1)), "GIF"),
        "no width.png": _png(0, 100),
        "not a number.tif": _encoded(
            Image.fromarray(np.full((80, 80), np.nan, np.float32)), "TIFF"
        ),
        "infinite.tif": _encoded(Image.fromarray(np.full((80, 80), np.inf, np.float32)), "TIFF"),
    }


def _animations() -> dict[str, bytes]:
    frames = [Image.new("P", (64, 64), number % 256) for number in range(3000)]
    return {
        "3000 frames.gif": _encoded(
            frames[0], "GIF", save_all=True, append_images=frames[1:], optimize=False
        ),
        "500 frames.png": _encoded(
            frames[0], "PNG", save_all=True, append_images=frames[1:500], duration=1
        ),
        "500 pages.tif": _encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:500]),
        "500 frames.webp": _encoded(
            frames[0].convert("RGB"),
            "WEBP",
            save_all=True,
            append_images=[frame.convert("RGB") for frame in frames[1:500]],
        ),
        "a ring of pages.tif": _ring_of_pages(),
    }


def _ring_of_pages() -> bytes:
    data = bytearray(_encoded(drawing(96, 80), "TIFF"))
    first = struct.unpack_from("<I", data, 4)[0]
    entries = struct.unpack_from("<H", data, first)[0]
    struct.pack_into("<I", data, first + 2 + 12 * entries, first)
    return bytes(data)
