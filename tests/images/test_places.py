"""What a file says, wherever its container lets it say so: EXIF, XMP and their encodings."""

import json
import struct

import pytest
from helpers import drawing
from odd_files import (
    AI,
    PROMPT,
    SETTINGS,
    alternatives,
    chunk,
    exif,
    gif_xmp,
    iim,
    jpeg_exif,
    jpeg_extended_xmp,
    jpeg_xmp,
    label,
    png,
    raw_profile,
    resource,
    saved,
    text_chunk,
    utf16,
    with_chunks,
    with_segments,
    xmp,
)
from PIL import Image

from realitycheck.images import provenance, text

CHINESE = "灯塔在暴风雨中，油画"
TYPES_END = "digitalsourcetype/" + AI


def the_one(data: bytes) -> provenance.Finding:
    (finding,) = provenance.examine(data)
    return finding


# --- UserComment ----------------------------------------------------------------------------

SCRIPTS = {
    "English": PROMPT,
    "Chinese": CHINESE,
    "quoted": f"“{PROMPT}”",
    "Russian": "маяк в шторм",
    "Japanese": "嵐の中の灯台",
    "emoji": "🌊 lighthouse",
}
ENCODINGS = {
    "little": lambda words: utf16(words),
    "big": lambda words: utf16(words, ">"),
    "little, mark": lambda words: utf16(words, mark=True),
    "big, mark": lambda words: utf16(words, ">", mark=True),
    "UTF-8 behind UNICODE": lambda words: b"UNICODE\0" + words.encode(),
    "UTF-8 behind ASCII": lambda words: b"ASCII\0\0\0" + words.encode(),
    "UTF-8 behind zeros": lambda words: bytes(8) + words.encode(),
    "UTF-8 with a mark": lambda words: b"UNICODE\0\xef\xbb\xbf" + words.encode(),
    "UTF-8 alone": lambda words: words.encode(),
    "UTF-16 behind ASCII": lambda words: b"ASCII\0\0\0" + words.encode("utf-16-le"),
    "UTF-16 behind zeros": lambda words: bytes(8) + words.encode("utf-16-be"),
    "UTF-32": lambda words: b"UNICODE\0" + words.encode("utf-32-le"),
    "lower case": lambda words: b"Unicode\0" + words.encode("utf-16-le"),
    "zeros behind": lambda words: utf16(words) + bytes(60),
}


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("order", ["<", ">"])
def test_user_comments_in_any_encoding(encoding, script, order):
    words = SCRIPTS[script]
    comment = ENCODINGS[encoding](words + SETTINGS)
    finding = the_one(jpeg_exif(comment, order))
    assert "Stable Diffusion web UI" in finding.says
    assert finding.prompt == text.shown(words)


@pytest.mark.parametrize("encoding", ["iso2022_jp", "shift_jis", "euc_jp", "ascii"])
def test_user_comments_in_japanese_encodings(encoding):
    words = PROMPT if encoding == "ascii" else "嵐の中の灯台"
    finding = the_one(jpeg_exif(b"JIS\0\0\0\0\0" + (words + SETTINGS).encode(encoding)))
    assert "Stable Diffusion web UI" in finding.says


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "TIFF"])
def test_exif_in_every_container(kind):
    if kind == "TIFF":
        made = Image.Exif()
        made[270] = PROMPT + SETTINGS
        data = saved(kind, exif=made)
    else:
        data = saved(kind, exif=b"Exif\0\0" + exif(utf16(CHINESE + SETTINGS)))
    assert "Stable Diffusion web UI" in the_one(data).says


def test_exif_where_imagemagick_puts_it():
    blob = b"Exif\0\0" + exif(utf16(CHINESE + SETTINGS))
    for kind in ("exif", "APP1"):
        assert the_one(with_chunks(raw_profile(kind, blob))).prompt == CHINESE


def test_exif_over_several_segments():
    blob = exif(utf16((PROMPT + ", ") * 1000 + SETTINGS))
    first, second = b"Exif\0\0" + blob[:60_000], b"Exif\0\0" + blob[60_000:]
    assert len(blob) > 65_535
    assert the_one(with_segments((0xE1, first), (0xE1, second))).prompt.startswith(PROMPT)


def test_windows_own_tags():
    words = (PROMPT + SETTINGS).encode("utf-16-le") + b"\0\0"
    assert the_one(jpeg_exif(t40092=words)).prompt == PROMPT


def test_one_damaged_tag_costs_itself_alone():
    blob = bytearray(exif(utf16(PROMPT + SETTINGS), t270="a description", t271="Maker"))
    place = blob.index(struct.pack("<HH", 270, 2))
    blob[place + 4 : place + 12] = b"\xff" * 8  # too long, and far outside
    assert the_one(with_segments((0xE1, b"Exif\0\0" + blob))).prompt == PROMPT


# --- XMP ------------------------------------------------------------------------------------

REST = '\n </rdf:Description>\n</rdf:RDF></x:xmpmeta>\n<?xpacket end="w"?>'
TITLED = label(inside=alternatives("dc:title", "cafe"))
PACKETS = {
    "plain": label().encode(),
    "leftovers": (label() + REST).encode(),
    "Latin-1 byte": TITLED.encode().replace(b"cafe", b"caf\xe9"),
    "UTF-16, little": b"\xff\xfe" + label().encode("utf-16-le"),
    "UTF-16, big": b"\xfe\xff" + label().encode("utf-16-be"),
    "UTF-16, no mark": label().encode("utf-16-be"),
    "UTF-32": label().encode("utf-32-be"),
    "with a mark": b"\xef\xbb\xbf" + label().encode(),
    "XML declaration": b'<?xml version="1.0" encoding="UTF-16"?>' + label().encode(),
    "no wrapper": label()[label().index("<rdf:RDF") : label().index("</x:xmpmeta>")].encode(),
    "zeros behind": label().encode() + bytes(3000),
    "blanks behind": label().encode() + b" " * 3000,
    "a control character": TITLED.replace("cafe", "ca\x01fe").encode(),
    "cut": label(inside="<dc:title>").encode()[:-60],
    "no namespace": label().replace('xmlns:Iptc4xmpExt="http', 'xmlns:other="http').encode(),
    "bare ampersand": TITLED.replace("cafe", "c & a").encode(),
    "two in one": (xmp(xmp__CreatorTool="Drawn") + label()).encode(),
    "single quotes": label().replace('"', "'").encode(),
}


@pytest.mark.parametrize("name", PACKETS)
def test_xmp_in_any_state(name):
    finding = the_one(jpeg_xmp(PACKETS[name]))
    assert finding.points_to == "ai"
    assert AI in finding.says
    assert finding.where.startswith("XMP")


def tiff_with_exif(tag: int, raw: bytes) -> bytes:
    made = Image.Exif()
    made[tag] = raw
    return saved("TIFF", exif=made)


TOOL = xmp(xmp__CreatorTool="Drawn")
PHOTOSHOP = b"Photoshop 3.0\0"
PLACES = {
    "JPEG": jpeg_xmp(label()),
    "JPEG, two packets": jpeg_xmp(label(), TOOL),
    "JPEG, two packets, second": jpeg_xmp(TOOL, label()),
    "JPEG, extended": jpeg_extended_xmp(label()),
    "JPEG, extended in pieces": jpeg_extended_xmp(label(), 4),
    "JPEG, extended backwards": jpeg_extended_xmp(label(), 4, backwards=True),
    "JPEG, Photoshop": with_segments((0xED, PHOTOSHOP + resource(1060, label().encode()))),
    "JPEG, EXIF's tag": jpeg_exif(t700=label().encode()),
    "PNG": png(**{"XML:com.adobe.xmp": label()}),
    "PNG, packed": with_chunks(text_chunk("XML:com.adobe.xmp", label(), packed=True)),
    "PNG, behind": with_chunks(text_chunk("XML:com.adobe.xmp", label()), behind=True),
    "PNG, plain text": with_chunks(chunk(b"tEXt", b"XML:com.adobe.xmp\0" + label().encode())),
    "PNG, ImageMagick": with_chunks(raw_profile("xmp", label().encode())),
    "PNG, ImageMagick, behind": with_chunks(raw_profile("xmp", label().encode()), behind=True),
    "PNG, ImageMagick, APP1": with_chunks(
        raw_profile("APP1", b"http://ns.adobe.com/xap/1.0/\0" + label().encode())
    ),
    "GIF": gif_xmp(label()),
    "GIF, behind": gif_xmp(label(), behind=True),
    "WebP": saved("WEBP", xmp=label().encode()),
    "WebP, lossless": saved("WEBP", xmp=label().encode(), lossless=True),
    "TIFF": saved("TIFF", tiffinfo={700: label().encode()}),
    "AVIF": saved("AVIF", xmp=label().encode()),
    "HEIF": saved("HEIF", xmp=label().encode()),
}


@pytest.mark.parametrize("name", PLACES)
def test_xmp_in_every_legal_place(name):
    assert AI in the_one(PLACES[name]).says


def test_xmp_between_the_scans_of_a_jpeg():
    data = saved("JPEG", drawing(96, 80), progressive=True)
    place = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    body = b"http://ns.adobe.com/xap/1.0/\0" + label().encode()
    segment = struct.pack(">BBH", 0xFF, 0xE1, len(body) + 2) + body
    assert AI in the_one(data[:place] + segment + data[place:]).says


@pytest.mark.parametrize(
    "data",
    [
        saved() + label().encode(),
        saved() + jpeg_xmp(label()),
        saved("PNG") + label().encode(),
        saved("PNG") + text_chunk("XML:com.adobe.xmp", label()),
        saved("GIF") + label().encode(),
        saved("WEBP") + b"XMP " + struct.pack("<I", len(label())) + label().encode(),
        with_segments((0xFE, label().encode())),
        with_segments((0xE5, label().encode())),
        with_chunks(chunk(b"prVt", label().encode())),
        jpeg_extended_xmp(label(), named=False),
        saved("BMP") + label().encode(),
    ],
    ids=[
        *("behind JPEG", "JPEG behind JPEG", "behind PNG", "chunk behind PNG", "behind GIF"),
        *("behind WebP", "JPEG comment", "APP5", "private chunk", "nobody's extension", "BMP"),
    ],
)
def test_elsewhere_it_means_nothing(data):
    assert provenance.examine(data) == []


def test_entities_are_refused_and_bombs_end_soon():
    entities = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 12))
    bomb = f'<!DOCTYPE x [<!ENTITY e0 "ha">{entities}]>' + label().replace(TYPES_END, "&e11;")
    many = "<x:xmpmeta xmlns:x='a'>" + "<a>" * 300_000
    wide = label(inside="<dc:a/>" * 50_000)
    for packet in (bomb, many, "<x:xmpmeta " * 100_000, "<rdf:RDF>" * 100_000, "<a:b " * 400_000):
        assert provenance.examine(saved("WEBP", xmp=packet.encode())) == []
    assert provenance.examine(saved("WEBP", xmp=wide.encode()))[0].points_to == "ai"


# --- IPTC-IIM -------------------------------------------------------------------------------

CREDIT = iim((110, "Made with Google AI"))


@pytest.mark.parametrize(
    "data",
    [
        with_segments((0xED, PHOTOSHOP + resource(1028, CREDIT))),
        with_segments((0xED, PHOTOSHOP + resource(1005, bytes(16)) + resource(1028, CREDIT))),
        with_chunks(raw_profile("iptc", PHOTOSHOP + resource(1028, CREDIT))),
        with_chunks(raw_profile("iptc", CREDIT)),
        tiff_with_exif(33723, CREDIT),
    ],
    ids=["JPEG", "JPEG, second", "PNG, Photoshop", "PNG", "TIFF"],
)
def test_iptc_records(data):
    finding = the_one(data)
    assert "credit line" in finding.says
    assert "Google AI" in finding.says


def test_what_is_found_twice_is_said_once():
    assert len(provenance.examine(jpeg_xmp(label(), label()))) == 1


def test_settings_in_xmp():
    inside = alternatives("exif:UserComment", json.dumps({"sui_image_params": {"prompt": "x"}}))
    assert "SwarmUI" in the_one(jpeg_xmp(xmp(inside))).says
