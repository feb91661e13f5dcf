"""Pixels that are easily read wrongly without an error: each decode against a second decoder."""

import struct

import cv2
import numpy as np
import pytest
from helpers import drawing
from odd_files import bmp, saved, tiff
from PIL import Image

from realitycheck import images
from realitycheck.errors import PictureError
from realitycheck.images import raw

BASE = np.asarray(drawing(112, 84, 10))
DEEP = BASE.astype(np.uint16) * 257
GREY = np.asarray(Image.fromarray(BASE).convert("L"))
WHITE_IS_ZERO = {262: (3, [0])}


def with_alpha(values: np.ndarray, alpha: int) -> np.ndarray:
    return np.dstack([values, np.full(values.shape[:2], alpha, values.dtype)])


def apart(image: Image.Image, values: np.ndarray) -> float:
    return float(np.abs(np.asarray(image, np.float32) - values.astype(np.float32)).mean())


TIFFS = {
    "16": (DEEP, {}),
    "16, alpha": (with_alpha(DEEP, 65535), {}),
    "8": (BASE, {}),
    "8, alpha": (with_alpha(BASE, 255), {}),
}


@pytest.mark.parametrize("name", TIFFS)
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("strips", [1, 5])
def test_tiffs_of_all_layouts(name, planar, order, packed, strips):
    values, options = TIFFS[name]
    data = tiff(values, planar=planar, order=order, packed=packed, strips=strips, **options)
    read = images.read(data)
    assert apart(read.image, BASE) < 1
    assert read.warnings == ()
    assert read.format == "TIFF"


@pytest.mark.parametrize("packed", [False, True])
def test_tiffs_that_count_from_white(packed):
    inverted = 65535 - GREY.astype(np.uint16)[..., None] * 257
    for values, order in (
        (inverted, "<"),
        (255 - GREY[..., None], "<"),
        (255 - GREY[..., None], ">"),
    ):
        data = tiff(values, order=order, packed=packed, more=WHITE_IS_ZERO)
        assert apart(images.read(data).image, np.dstack([GREY] * 3)) < 1
    with pytest.raises(PictureError, match="cannot be read here"):  # nor can Pillow
        images.read(tiff(inverted, order=">", packed=packed, more=WHITE_IS_ZERO))


def test_planes_with_an_orientation_and_in_a_pil_image(tmp_path):
    data = tiff(DEEP, planar=True, more={274: (3, [3])})
    assert apart(images.read(data).image, BASE[::-1, ::-1]) < 1
    file = tmp_path / "planes.tif"
    file.write_bytes(data)
    with Image.open(file) as image, pytest.raises(PictureError, match="separate planes"):
        images.read(image)


def test_planes_that_are_refused_in_words():
    inks = {262: (3, [5]), 338: (3, [0])}
    for data in (
        tiff(DEEP, planar=True)[: -len(DEEP)],
        tiff(with_alpha(DEEP, 5), planar=True, more=inks),
        tiff(DEEP, planar=True, more={279: (4, [1, 2])}),
        tiff(DEEP, planar=True, more={273: (4, [2**31] * 3)}),
    ):
        with pytest.raises(PictureError) as refused:
            images.read(data)
        assert "not a picture" not in str(refused.value)


def bmp_of(width_bits: int, masks: tuple, values: np.ndarray, header: int = 40) -> bytes:
    height, width = values.shape
    pixels = values[::-1].tobytes()
    info = struct.pack(
        "<IiiHHIIiiII", header, width, height, 1, width_bits, 3, len(pixels), 0, 0, 0, 0
    )
    info += struct.pack("<III", *masks)
    offset = 14 + len(info)
    return b"BM" + struct.pack("<IHHI", offset + len(pixels), 0, 0, offset) + info + pixels


def packed_pixels(kind: type, parts: tuple) -> np.ndarray:
    values = np.zeros(BASE.shape[:2], kind)
    for channel, (bits, shift) in enumerate(parts):
        values |= (BASE[..., channel].astype(kind) >> (8 - bits)) << shift
    return values


FIVE_SIX_FIVE = ((5, 11), (6, 5), (5, 0))
SECOND = {
    "PNG": saved("PNG", Image.fromarray(BASE)),
    "PNG, grey": saved("PNG", Image.fromarray(GREY)),
    "PNG, 1 bit": saved("PNG", Image.fromarray(BASE).convert("1")),
    "PNG, palette": saved("PNG", Image.fromarray(BASE).quantize(16)),
    "PNG, 16 bits grey": saved("PNG", Image.fromarray(GREY.astype(np.uint16) * 257)),
    "PNG, 16 bits": cv2.imencode(".png", DEEP[..., ::-1])[1].tobytes(),
    "JPEG": saved("JPEG", Image.fromarray(BASE), quality=90),
    "JPEG, progressive": saved("JPEG", Image.fromarray(BASE), quality=90, progressive=True),
    "JPEG, grey": saved("JPEG", Image.fromarray(GREY), quality=90),
    "JPEG, RGB": saved("JPEG", Image.fromarray(BASE), quality=90, keep_rgb=True),
    "JPEG, inks": saved("JPEG", Image.fromarray(BASE).convert("CMYK"), quality=95),
    "WebP": saved("WEBP", Image.fromarray(BASE), quality=90),
    "WebP, lossless": saved("WEBP", Image.fromarray(BASE), lossless=True),
    "GIF": saved("GIF", Image.fromarray(BASE)),
    "BMP": saved("BMP", Image.fromarray(BASE)),
    "BMP, palette": saved("BMP", Image.fromarray(BASE).quantize(16)),
    "BMP, 565": bmp_of(
        16, (0xF800, 0x7E0, 0x1F), packed_pixels(np.uint16, ((5, 11), (6, 5), (5, 0)))
    ),
    "TIFF, inks": saved("TIFF", Image.fromarray(BASE).convert("CMYK")),
    "TIFF, LZW": saved("TIFF", Image.fromarray(BASE), compression="tiff_lzw"),
    "TIFF, JPEG": saved("TIFF", Image.fromarray(BASE), compression="jpeg", quality=90),
    "TIFF, 1 bit": saved("TIFF", Image.fromarray(BASE).convert("1"), compression="group4"),
    "TIFF, 16 bits, predicted": tiff(
        np.diff(DEEP.astype(np.int64), axis=1, prepend=0).astype(np.uint16),
        packed=True,
        more={317: (3, [2])},
    ),
    "AVIF": saved("AVIF", Image.fromarray(BASE), quality=90),
}


@pytest.mark.parametrize("name", SECOND)
def test_a_second_decoder_sees_the_same(name):
    theirs = cv2.imdecode(np.frombuffer(SECOND[name], np.uint8), cv2.IMREAD_COLOR)
    if theirs is None:
        pytest.skip("this build of OpenCV does not read the format")
    ours = images.read(SECOND[name]).image
    assert apart(ours, theirs[..., ::-1]) < (6 if "inks" in name else 3)


def test_odd_masks_of_a_bmp_are_right_or_refused():
    for masks, parts in (
        ((0xFF, 0xFF00, 0xFF0000), ((8, 0), (8, 8), (8, 16))),
        ((0x3FF00000, 0xFFC00, 0x3FF), ((8, 22), (8, 12), (8, 2))),
    ):
        data = bmp_of(32, masks, packed_pixels(np.uint32, parts))
        try:
            assert apart(images.read(data).image, BASE) < 3
        except PictureError as error:
            assert "not a picture" not in str(error)  # noqa: PT017


# --- alpha ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_opaque_alpha_gives_no_note(kind, mode):
    if mode == "LA" and kind in ("WEBP", "HEIF", "AVIF"):
        pytest.skip("the format has no such mode")
    image = Image.fromarray(BASE).convert(mode)
    read = images.read(saved(kind, image, **({"lossless": True} if kind == "WEBP" else {})))
    assert read.warnings == ()
    assert apart(read.image, np.asarray(image.convert("RGB"))) < 3


def test_a_colour_that_is_called_transparent_and_never_used():
    palette = Image.fromarray(BASE).quantize(16)
    for kind in ("PNG", "GIF"):
        assert images.read(saved(kind, palette, transparency=200)).warnings == ()


@pytest.mark.parametrize("header", [56, 108, 124])
@pytest.mark.parametrize("alpha", [0, 255])
def test_clipboards_mean_nothing_by_the_fourth_byte(header, alpha):
    read = images.read(bmp(Image.fromarray(BASE), alpha, header))
    assert read.image.tobytes() == BASE.tobytes()
    assert read.warnings == ()


def test_what_is_transparent_is_said():
    half = Image.fromarray(BASE)
    half.putalpha(Image.linear_gradient("L").resize(half.size))
    for kind in ("PNG", "WEBP", "TIFF"):
        assert "Transparent" in images.read(saved(kind, half)).warnings[0]
    gone = Image.fromarray(with_alpha(BASE, 0))
    read = images.read(saved("PNG", gone))
    assert read.image.getpixel((5, 5)) == (255, 255, 255)
    assert "Transparent" in read.warnings[0]
    assert "Transparent" in images.read(bmp(Image.fromarray(BASE), 128)).warnings[0]


# --- camera raw -----------------------------------------------------------------------------


def raw_file(order: str = "<", make: str = "NIKON CORPORATION", sensor: int = 32803) -> bytes:
    """A thumbnail, and below it what a sensor gave."""
    below = struct.pack(order + "H", 3)
    below += struct.pack(order + "HHIHH", 254, 3, 1, 0, 0)
    below += struct.pack(order + "HHIHH", 259, 3, 1, 34713, 0)
    below += struct.pack(order + "HHIHH", 262, 3, 1, sensor, 0) + bytes(4)
    name = make.encode() + b"\0"
    more = {
        254: (4, [1]),
        271: (1, list(name)),
        330: (4, [8 + BASE.size + BASE.size % 2]),
    }
    return tiff(BASE, order=order, more=more, behind=below)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (raw_file(), "NEF"),
        (raw_file(">", "SONY"), "ARW"),
        (raw_file(">", "PENTAX"), "PEF"),
        (raw_file(make="Unheard of"), "raw"),
        (raw_file(sensor=34892), "NEF"),
        (tiff(BASE, more={50706: (1, [1, 4, 0, 0])}), "DNG"),
        (tiff(GREY[..., None], more={262: (3, [32803])}), "raw"),
        (tiff(GREY[..., None], more={259: (3, [65535]), 271: (1, [*b"PENTAX"])}), "PEF"),
        (b"II*\0\x10\0\0\0CR\x02\0" + bytes(100), "CR2"),
        (b"FUJIFILMCCD-RAW 0201" + bytes(100), "RAF"),
        (b"IIU\0\x18\0\0\0" + bytes(100), "RW2"),
        (b"IIRO\x08\0\0\0" + bytes(100), "ORF"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(100), "CR3"),
    ],
)
def test_camera_raw_is_refused_by_its_name(data, kind):
    assert raw.kind(data) == kind
    with pytest.raises(PictureError, match=rf"raw file \({kind}\).*JPEG"):
        images.read(data)


def test_pyramids_and_pages_are_no_raw():
    smaller = tiff(BASE[::2, ::2])
    pages = saved(
        "TIFF", Image.fromarray(BASE), save_all=True, append_images=[Image.fromarray(BASE)]
    )
    below = struct.pack("<H", 2) + struct.pack("<HHIHH", 254, 3, 1, 1, 0)
    below += struct.pack("<HHIHH", 262, 3, 1, 2, 0) + bytes(4)
    more = {271: (1, [*b"NIKON"]), 330: (4, [8 + BASE.size + BASE.size % 2])}
    pyramid = tiff(BASE, more=more, behind=below)
    for data in (pages, pyramid):
        assert raw.kind(data) == ""
        assert apart(images.read(data).image, BASE) < 1
    assert raw.kind(smaller) == raw.kind(b"") == raw.kind(b"II*\0") == ""


def test_a_tiff_that_is_called_raw_is_taken_at_its_word(tmp_path):
    for name, refused in (("DSC1.NEF", True), ("a.dng", True), ("a.tif", False), ("NEF", True)):
        file = tmp_path / name
        file.write_bytes(tiff(BASE))
        assert bool(raw.kind(file.read_bytes(), name)) == refused
    with pytest.raises(PictureError, match="raw file"):
        images.read(tmp_path / "DSC1.NEF")
    # A JPEG is one by whatever name.
    assert raw.kind(saved("JPEG"), "a.nef") == ""
