"""Files that lack an end or whose metadata is bad: what is readable is read."""

import re
import struct
import zlib

import pytest
from helpers import drawing
from odd_files import chunk, png, saved, text_chunk, with_chunks, with_segments
from PIL import Image, ImageCms

from realitycheck import images
from realitycheck.errors import PictureError
from realitycheck.images import opening, provenance

JPEGS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "grey": {"mode": "L"},
    "inks": {"mode": "CMYK"},
    "4:4:4": {"subsampling": 0},
    "with restarts": {"restart_marker_blocks": 5},
}


def jpeg(name: str = "baseline", quality: int = 92) -> bytes:
    options = dict(JPEGS[name])
    image = drawing(256, 192, 4).convert(options.pop("mode", "RGB"))
    return saved("JPEG", image, quality=quality, **options)


def share(error: PictureError) -> int:
    return int(re.search(r"(\d+) %", str(error))[1])


@pytest.mark.parametrize("name", JPEGS)
@pytest.mark.parametrize(
    "lose",
    [
        lambda data: data[:-2],
        lambda data: data[:-1],
        lambda data: data[:-2] + b"\0\0",
        lambda data: data[:-2] + bytes(64),
        lambda data: data[:-2] + bytes(5000),
    ],
    ids=["both bytes", "one byte", "zeroed", "zeros behind", "many zeros"],
)
def test_a_jpeg_that_lacks_its_end_alone_is_read_with_a_note(name, lose):
    whole = jpeg(name)
    read = images.read(lose(whole))
    assert read.image.tobytes() == images.read(whole).image.tobytes()
    assert read.warnings == (opening.NO_END,)
    assert images.read(whole).warnings == ()


@pytest.mark.parametrize("name", JPEGS)
@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9, 0.98])
@pytest.mark.parametrize(
    "more", [b"", b"\xff\xd9", bytes(2000)], ids=["cut", "with an end", "filled up"]
)
def test_a_jpeg_that_lacks_pixels_is_refused_with_their_share(name, kept, more):
    whole = jpeg(name)
    if name == "progressive" and more == b"\xff\xd9":
        pytest.skip("complete by its own words: the finer steps are not missed by anybody")
    start = whole.index(b"\xff\xda")
    cut = whole[: start + int(kept * (len(whole) - start))]
    with pytest.raises(PictureError, match=r"\d %") as refused:
        images.read(cut + more)
    assert "not a picture" not in str(refused.value)
    if name in ("baseline", "grey", "4:4:4"):
        assert share(refused.value) == pytest.approx(100 * (1 - kept), abs=12)


def test_a_jpeg_cut_before_its_pixels():
    whole = jpeg()
    with pytest.raises(PictureError, match="damaged"):
        images.read(whole[: whole.index(b"\xff\xda")])


def test_flat_pictures_are_whole():
    for colour in ("white", "black", (200, 30, 30)):
        image = Image.new("RGB", (200, 150), colour)
        assert images.read(saved("JPEG", image)).warnings == ()
        assert images.read(saved("JPEG", image)[:-2]).warnings == (opening.NO_END,)


def test_a_png_that_lacks_its_end():
    image = drawing(120, 90)
    whole = saved("PNG", image)
    for cut in (whole[:-12], whole[:-16], whole[:-5]):
        assert images.read(cut).image.tobytes() == image.tobytes()
    with pytest.raises(PictureError, match=r"about \d+ % of its pixels are missing"):
        images.read(whole[: len(whole) // 2])


# --- metadata -------------------------------------------------------------------------------


def large_profile(size: int = 1_300_000) -> bytes:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile += bytes(size - len(profile))
    profile[:4] = struct.pack(">I", size)
    return bytes(profile)


FILLER = ("All work and no play. " * 60_000)[:1_200_000]
PACKED = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(FILLER.encode(), 9))
BAD = {
    "iTXt, wrong checksum": with_chunks(text_chunk("Comment", "hello", right=False)),
    "pHYs, wrong checksum": with_chunks(
        chunk(b"pHYs", struct.pack(">IIB", 2835, 2835, 1), right=False)
    ),
    "eXIf, wrong checksum": with_chunks(chunk(b"eXIf", b"II*\0", right=False)),
    "tEXt, wrong checksum": with_chunks(chunk(b"tEXt", b"a\0b", right=False)),
    "gAMA, wrong checksum": with_chunks(chunk(b"gAMA", bytes(4), right=False)),
    "large profile": with_chunks(chunk(b"iCCP", b"icc\0\0" + zlib.compress(large_profile(), 9))),
    "large text": with_chunks(PACKED),
    "large text behind": with_chunks(PACKED, behind=True),
    "wrong checksum behind": with_chunks(text_chunk("Comment", "hello", right=False), behind=True),
    "unpackable text": with_chunks(chunk(b"zTXt", b"Comment\0\0" + b"\xff" * 50)),
    "unpackable profile": with_chunks(chunk(b"iCCP", b"icc\0\0" + b"\xff" * 50)),
    "short pHYs": with_chunks(chunk(b"pHYs", b"\1")),
    "many texts": with_chunks(*[chunk(b"tEXt", b"a\0" + bytes(1_000_000))] * 20),
    "seventy packed texts": with_chunks(
        *[chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1_000_000)))] * 70
    ),
    "short tIME": with_chunks(chunk(b"tIME", b"\1")),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_metadata_never_costs_a_png(name):
    assert images.read(BAD[name]).image.tobytes() == drawing(96, 80).tobytes()


def test_what_the_file_says_survives_the_bad_part():
    bad = chunk(b"pHYs", bytes(9), right=False)
    (finding,) = provenance.examine(with_chunks(bad, base=png(parameters=PARAMETERS)))
    assert finding.points_to == "ai"


PARAMETERS = "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1"


def test_orientation_and_profile_survive_the_bad_part(picture):
    exif = Image.Exif()
    exif[274] = 6
    data = with_chunks(chunk(b"pHYs", bytes(9), right=False), base=saved("PNG", picture, exif=exif))
    read = images.read(data)
    assert read.warnings == (opening.LEFT_OUT,)
    assert read.image.tobytes() == picture.transpose(Image.Transpose.ROTATE_270).tobytes()


@pytest.mark.parametrize(
    "segments",
    [
        [(0xE2, b"MPF\0" + b"\xff" * 40)],
        [(0xE2, b"ICC_PROFILE\0\x05\x01" + b"x" * 40)],
        [(0xE2, b"ICC_PROFILE\0\x01\x01" + b"x" * 60_000)] * 100,
        [(0xED, b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\xff\xff\xff\xff")],
        [(0xE1, b"Exif\0\0" + b"\xff" * 40)],
        [(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"\xff" * 40)],
        [(0xFE, b"x" * 60_000)] * 100,
        [(0xE0, b"JFIF\0")],
    ],
    ids=["MPF", "ICC part", "ICC large", "8BIM", "EXIF", "XMP", "comments", "JFIF"],
)
def test_bad_metadata_never_costs_a_jpeg(segments):
    base = saved()
    read = images.read(with_segments(*segments, base=base))
    assert read.image.tobytes() == images.read(base).image.tobytes()


def test_bad_metadata_never_costs_a_webp(picture):
    for name in ("exif", "xmp", "icc_profile"):
        data = saved("WEBP", picture, lossless=True, **{name: b"\xff" * 2000})
        assert images.read(data).image.tobytes() == picture.tobytes()


@pytest.mark.parametrize("kind", ["WEBP", "AVIF", "HEIF", "BMP", "TIFF"])
def test_other_formats_that_are_cut_are_refused_with_a_share(kind):
    data = saved(kind, drawing(200, 150), **({"compression": "raw"} if kind == "TIFF" else {}))
    cut = data[: len(data) * 3 // 4]
    with pytest.raises(PictureError, match=r"cut short: about 2[0-9] % of its bytes are missing"):
        images.read(cut)


def test_a_gif_that_is_cut_is_called_cut():
    data = saved("GIF", drawing(200, 150))
    with pytest.raises(PictureError, match="GIF file is damaged or cut short"):
        images.read(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"\xff\x0a", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"8BPS\0\1", "Photoshop"),
        (b"\0\0\0\x18ftypisom", "MP4 video"),
    ],
)
def test_known_formats_that_are_not_read_are_named(start, name):
    with pytest.raises(PictureError, match=f"a {name} file, a format that is not read"):
        images.read(start + bytes(500))


def refusal(data: bytes) -> str:
    try:
        images.read(data)
    except PictureError as error:
        return str(error)
    return ""


def test_an_error_never_says_of_a_picture_that_it_is_none():
    whole = saved("PNG")
    place = whole.index(b"IDAT") + 4
    broken = whole[:place] + bytes(2000) + whole[place + 2000 :]
    files = [broken, with_chunks(chunk(b"IHDR", bytes(13)))]
    for kind in ("JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF"):
        data = saved(kind)
        files += [data[: len(data) * percent // 100] for percent in (60, 90)]
    for data in files:
        assert "not a picture" not in refusal(data)


def test_damaged_pixels_are_refused():
    whole = saved("PNG")
    place = whole.index(b"IDAT") + 200
    broken = whole[:place] + bytes(2000) + whole[place + 2000 :]
    with pytest.raises(PictureError, match="damaged"):
        images.read(broken)
