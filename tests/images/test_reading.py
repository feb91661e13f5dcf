import io
import os
import struct

import numpy as np
import pytest
from helpers import drawing
from PIL import Image, ImageCms, ImageOps

from realitycheck import images
from realitycheck.errors import PictureError


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF", "BMP", "TIFF"])
def test_reads_every_format_from_path_bytes_and_pil(kind, picture, tmp_path):
    data = encoded(picture, kind)
    file = tmp_path / "odd name.bin"
    file.write_bytes(data)
    from_bytes, from_path = images.read(data), images.read(file)
    from_pil = images.read(Image.open(io.BytesIO(data)))
    for read in (from_bytes, from_path, from_pil):
        assert read.image.mode == "RGB"
        assert read.image.size == (300, 240)
        difference = np.abs(np.asarray(read.image, float) - np.asarray(picture, float)).mean()
        assert difference < 20
    assert from_bytes.data == from_path.data == data
    assert from_path.name == "odd name.bin"
    assert from_pil.data is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turns_pictures_upright(orientation, picture):
    # What a camera held otherwise stores: the inverse of what a viewer must do.
    stored = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    turned = picture.transpose(stored[orientation]) if orientation > 1 else picture
    exif = Image.Exif()
    exif[274] = orientation
    read = images.read(encoded(turned, "PNG", exif=exif))
    assert np.array_equal(np.asarray(read.image), np.asarray(picture))


def test_puts_transparency_on_white():
    image = Image.new("RGBA", (80, 80), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 40, 80))
    palette = image.convert("P", palette=Image.Palette.ADAPTIVE)
    grey = Image.new("LA", (80, 80), (0, 0))
    assert images.read(encoded(image, "PNG")).image.getpixel((60, 40)) == (255, 255, 255)
    assert images.read(encoded(image, "PNG")).image.getpixel((10, 40)) == (255, 0, 0)
    assert images.read(encoded(palette, "PNG")).image.getpixel((60, 40)) == (255, 255, 255)
    assert images.read(encoded(grey, "PNG")).image.getpixel((60, 40)) == (255, 255, 255)
    assert "Transparent" in images.read(encoded(image, "PNG")).warnings[0]


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr"])
def test_colour_modes_keep_their_look(mode, picture):
    read = images.read(picture.convert(mode))
    expected = picture.convert("L" if mode == "1" else mode).convert("RGB")
    tolerance = 60 if mode == "1" else 1
    difference = np.asarray(read.image, float) - np.asarray(expected, float)
    assert abs(difference.mean()) < tolerance


def test_cmyk_jpeg(picture):
    read = images.read(encoded(picture.convert("CMYK"), "JPEG", quality=95))
    assert np.abs(np.asarray(read.image, float) - np.asarray(picture, float)).mean() < 12


def test_scales_deep_pictures_instead_of_clipping():
    ramp = np.tile(np.linspace(0, 1, 100), (100, 1))
    deep = Image.fromarray(np.uint16(ramp * 65535))
    expected = np.round(ramp * 255)
    for data in (
        encoded(deep, "PNG"),
        encoded(deep, "TIFF"),
        encoded(Image.fromarray(np.float32(ramp)), "TIFF"),
        encoded(Image.fromarray(np.float32(ramp * 255)), "TIFF"),
        encoded(Image.fromarray(np.int32(ramp * 65535)), "TIFF"),
    ):
        read = images.read(data)
        assert np.abs(np.asarray(read.image)[..., 0] - expected).max() <= 1
        assert "8 bits" in read.warnings[0]


def test_float_picture_with_no_numbers_in_it():
    values = np.full((80, 80), np.nan, np.float32)
    assert images.read(encoded(Image.fromarray(values), "TIFF")).image.getpixel((0, 0)) == (0, 0, 0)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_frame_of_animations(kind, picture):
    second = Image.new("RGB", picture.size, "red")
    read = images.read(encoded(picture, kind, save_all=True, append_images=[second]))
    assert "first" in read.warnings[0]
    assert np.abs(np.asarray(read.image, float) - np.asarray(picture, float)).mean() < 20


def test_damaged_tags_cost_neither_the_picture_nor_its_orientation(picture):
    # Orientation 6, and a resolution in letters, which Pillow's own helper fails to write anew.
    entries = struct.pack("<HHIHxx", 274, 3, 1, 6) + struct.pack("<HHI4s", 282, 2, 4, b"abc")
    tags = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + entries + bytes(4)
    data = encoded(picture, "JPEG", exif=tags)
    with pytest.raises(TypeError):
        ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert images.read(data).image.size == (240, 300)


def test_fuzzed_tags_never_raise_anything_else(picture):
    exif = Image.Exif()
    exif[274], exif[271], exif[282] = 6, "camera", 72.0
    good = np.frombuffer(encoded(picture.resize((80, 70)), "JPEG", exif=exif), np.uint8)
    rng = np.random.default_rng(2)
    for _ in range(300):
        bad = good.copy()
        bad[rng.integers(20, 140, 4)] = rng.integers(0, 256, 4)
        try:
            assert images.read(bad.tobytes()).image.mode == "RGB"
        except PictureError:
            continue


def test_pil_images_are_left_as_they_were(picture):
    before = picture.tobytes()
    read = images.read(picture)
    read.image.paste((0, 0, 0), (0, 0, 50, 50))
    assert picture.tobytes() == before


def test_damaged_pil_images_get_the_same_error(picture):
    cut = Image.open(io.BytesIO(encoded(picture, "JPEG")[:3000]))
    with pytest.raises(PictureError, match="damaged"):
        images.read(cut)
    second = Image.new("RGB", picture.size, "red")
    animated = encoded(picture, "GIF", save_all=True, append_images=[second])
    assert "first" in images.read(Image.open(io.BytesIO(animated))).warnings[0]


def test_unreadable_orientation_is_no_reason_to_fail(picture):
    data = encoded(picture, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 40)
    assert images.read(data).image.size == picture.size


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello, this is text", "not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' width='99' height='99'/>", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n", "not a picture"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "not a picture"),
        (encoded(drawing(200, 200), "JPEG")[:3000], "damaged"),
        (encoded(drawing(200, 200), "PNG")[:3000], "damaged"),
        (encoded(Image.new("RGB", (63, 200)), "PNG"), "64 px"),
        (encoded(Image.new("1", (8000, 5001)), "PNG"), "megapixels"),
        (encoded(Image.new("1", (20000, 20000)), "PNG"), "megapixels"),
        (bytes(images.MAX_BYTES + 1), "25 MB"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refuses_with_a_reason(data, reason):
    with pytest.raises(PictureError, match=reason):
        images.read(data)


def test_limits_hold_for_paths_and_pil_too(tmp_path):
    with pytest.raises(PictureError, match="64 px"):
        images.read(Image.new("RGB", (10, 10)))
    with pytest.raises(PictureError, match="folder"):
        images.read(tmp_path)
    with pytest.raises(PictureError, match="no file"):
        images.read(tmp_path / "missing.jpg")
    with pytest.raises(PictureError, match="NoneType"):
        images.read(None)
    big = tmp_path / "big.jpg"
    with big.open("wb") as file:
        file.truncate(images.MAX_BYTES + 1)
    with pytest.raises(PictureError, match="25 MB"):
        images.read(big)


def test_accepts_just_inside_the_limits():
    assert images.read(encoded(Image.new("L", (8000, 5000)), "PNG")).image.size == (8000, 5000)
    assert images.read(encoded(Image.new("RGB", (64, 64)), "PNG")).image.size == (64, 64)


def test_fuzzed_files_never_raise_anything_else(picture):
    rng = np.random.default_rng(1)
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF"):
        good = np.frombuffer(encoded(picture.resize((80, 70)), kind), np.uint8)
        for _ in range(40):
            bad = good.copy()
            bad[rng.integers(0, min(len(bad), 400), 6)] = rng.integers(0, 256, 6)
            try:
                read = images.read(bad.tobytes())
            except PictureError:
                continue
            assert read.image.mode == "RGB"


def test_only_files_in_the_allowed_folders_are_opened(tmp_path):
    uploads, private = tmp_path / "uploads", tmp_path / "private"
    uploads.mkdir()
    private.mkdir()
    (uploads / "a.png").write_bytes(b"x")
    (private / "secret.png").write_bytes(b"x")
    os.symlink(private / "secret.png", uploads / "link.png")
    os.symlink(private, uploads / "folder")
    assert images.allowed_path(uploads / "a.png", [uploads]) == (uploads / "a.png").resolve()
    attacks = [
        "/etc/passwd",
        private / "secret.png",
        uploads / ".." / "private" / "secret.png",
        uploads / "link.png",
        uploads / "folder" / "secret.png",
        uploads,
        uploads / "missing.png",
        tmp_path / "uploads-of-others",
        "",
        "a\0b",
        "x" * 10000,
        None,
        7,
    ]
    for attack in attacks:
        with pytest.raises(PictureError, match="not a picture you uploaded"):
            images.allowed_path(attack, [uploads])


def test_lab_tiff(picture):
    profiles = [ImageCms.createProfile(name) for name in ("sRGB", "LAB")]
    lab = ImageCms.applyTransform(picture, ImageCms.buildTransform(*profiles, "RGB", "LAB"))
    read = images.read(encoded(lab, "TIFF"))
    assert np.abs(np.asarray(read.image, float) - np.asarray(picture, float)).mean() < 3
