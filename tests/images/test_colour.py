"""Colours: whatever profile a picture is saved with, the same pixels come out."""

import io
import struct

import numpy as np
import pytest
from helpers import drawing
from odd_files import PRIMARIES, chunk, cmyk_profile, grey_profile, rgb_profile, saved, with_chunks
from PIL import Image, ImageCms, TiffImagePlugin

from realitycheck import images
from realitycheck.errors import PictureError
from realitycheck.images import colour, containers

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PROFILES = {
    "Adobe RGB": rgb_profile("Adobe RGB", 563 / 256),
    "Display P3": rgb_profile("Display P3"),
    "ProPhoto": rgb_profile("ProPhoto", 1.8),
    "sRGB primaries, gamma 1.8": rgb_profile("sRGB", 1.8),
}


@pytest.fixture
def muted() -> Image.Image:
    """A picture whose colours every space can hold."""
    values = np.asarray(drawing(200, 160, 3), np.float32)
    grey = values.mean(-1, keepdims=True)
    return Image.fromarray(np.uint8(np.clip(grey + 0.5 * (values - grey), 0, 255)))


def converted(image: Image.Image, profile: bytes, mode: str = "RGB") -> Image.Image:
    made = ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(io.BytesIO(SRGB)),
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode=mode,
    )
    assert made is not None
    made.info.clear()  # or the profile would be saved unasked
    return made


def apart(one: Image.Image, other: Image.Image) -> float:
    values = (np.asarray(image.convert("RGB"), np.float32) for image in (one, other))
    return float(np.abs(next(values) - next(values)).mean())


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG", "AVIF", "HEIF"])
@pytest.mark.parametrize("name", PROFILES)
def test_the_same_picture_saved_with_any_profile_gives_the_same_pixels(name, kind, muted):
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 98, "subsampling": 0}}
    options |= {"AVIF": {"quality": 99, "subsampling": "4:4:4"}, "HEIF": {"quality": 98}}
    written = converted(muted, PROFILES[name])
    assert apart(written, muted) > 1.5  # or nothing would be tested
    data = saved(kind, written, icc_profile=PROFILES[name], **options.get(kind, {}))
    picture = images.read(data)
    assert apart(picture.image, muted) < 1.5
    assert picture.warnings == ()


def test_what_was_done_is_not_done_again(muted):
    exif = Image.Exif()
    exif[274] = 6
    profile = PROFILES["Display P3"]
    data = saved("JPEG", converted(muted, profile), exif=exif, icc_profile=profile, quality=95)
    once = images.read(data).image
    assert once.size == (160, 200)
    assert images.read(once).image.tobytes() == once.tobytes()


@pytest.mark.parametrize(
    "profile",
    [SRGB, rgb_profile("sRGB", description="sRGB by another name")],
    ids=["lcms", "another"],
)
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA"])
def test_srgb_keeps_every_bit(profile, mode, picture):
    plain = picture.convert(mode)
    with_profile = images.read(saved("PNG", plain, icc_profile=profile))
    without = images.read(saved("PNG", plain))
    assert with_profile.image.tobytes() == without.image.tobytes()
    assert with_profile.warnings == without.warnings == ()


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_grey_profiles(mode, muted):
    grey = muted.convert("L")
    light = np.asarray(grey) / 255
    light = np.where(light <= 0.04045, light / 12.92, ((light + 0.055) / 1.055) ** 2.4)
    written = Image.fromarray(np.uint8(np.round(255 * light ** (1 / 1.8))))
    if mode == "I;16":
        written = Image.fromarray(np.asarray(written, np.uint16) * 257)
    elif mode == "LA":
        written = written.convert("LA")
    data = saved("PNG", written, icc_profile=grey_profile(1.8))
    assert apart(images.read(data).image, grey) < 1.5


def test_grey_profiles_of_formats_without_grey(muted):
    grey = muted.convert("L")
    plain = images.read(saved("PNG", grey, icc_profile=grey_profile(1.8))).image
    read = images.read(saved("WEBP", grey, lossless=True, icc_profile=grey_profile(1.8)))
    assert read.warnings == ()
    assert apart(read.image, plain) < 0.1


def test_profiles_go_with_transparency_and_palettes(muted):
    profile = PROFILES["Display P3"]
    written = converted(muted, profile)
    reference = images.read(saved("PNG", written, icc_profile=profile)).image
    palette = written.quantize(256)
    seen = images.read(saved("PNG", palette, icc_profile=profile)).image
    assert apart(seen, reference) < apart(palette, written) + 1
    written.putalpha(Image.linear_gradient("L").resize(written.size))
    muted.putalpha(written.getchannel("A"))
    faded = images.read(saved("PNG", written, icc_profile=profile))
    assert apart(faded.image, images.read(saved("PNG", muted)).image) < 1.5


def test_inks_go_through_their_profile(muted):
    inks = muted.convert("CMYK")
    for kind in ("JPEG", "TIFF"):
        plain = images.read(saved(kind, inks)).image
        seen = images.read(saved(kind, inks, icc_profile=cmyk_profile()))
        assert seen.warnings == ()
        assert apart(seen.image, plain) > 3
        values = np.asarray(seen.image, int)
        assert np.abs(values[..., 0] - values[..., 1]).max() <= 3  # these inks are all grey


@pytest.mark.parametrize(
    "profile",
    [
        b"no profile",
        SRGB[:200],
        SRGB[:128] + b"\xff" * 400,
        cmyk_profile(),
        grey_profile(2.2),
        bytes(5 << 20),
        struct.pack(">I", 400).ljust(400, b"\1"),
    ],
    ids=["text", "cut", "broken table", "of inks", "of grey", "too large", "ones"],
)
def test_profiles_that_cannot_be_used_are_left_out_with_a_note(profile, picture):
    read = images.read(saved("WEBP", picture, lossless=True, icc_profile=profile))
    assert read.image.tobytes() == picture.tobytes()
    assert read.warnings == (colour.UNUSABLE,)


def test_grey_pictures_with_a_profile_for_colours(picture):
    grey = picture.convert("L")
    read = images.read(saved("JPEG", grey, quality=95, icc_profile=rgb_profile("Display P3")))
    assert read.warnings == ()
    assert apart(read.image, grey) < 2


# --- colours by numbers (H.273) --------------------------------------------------------------


def cicp(primaries: int, curve: int) -> bytes:
    return chunk(b"cICP", bytes([primaries, curve, 0, 1]))


@pytest.mark.parametrize("curve", [16, 18])
def test_hdr_is_refused_in_words(curve, picture):
    with pytest.raises(PictureError, match="HDR picture"):
        images.read(with_chunks(cicp(9, curve), base=saved("PNG", picture)))
    profile = bytearray(rgb_profile("sRGB"))
    profile[132 + 12 : 132 + 16] = b"cicp"  # in place of the white point
    place = struct.unpack_from(">I", profile, 132 + 16)[0]
    profile[place : place + 12] = b"cicp" + bytes(4) + bytes([9, curve, 0, 1])
    with pytest.raises(PictureError, match="HDR picture"):
        images.read(saved("WEBP", picture, icc_profile=bytes(profile)))


def test_numbers_for_srgb_change_nothing(picture):
    plain = saved("PNG", picture)
    for primaries, curve in ((1, 13), (1, 1), (2, 2), (1, 2), (5, 6)):
        read = images.read(with_chunks(cicp(primaries, curve), base=plain))
        assert read.image.tobytes() == picture.tobytes()


def test_wide_colours_by_numbers(muted):
    wide = converted(muted, PROFILES["Display P3"])
    data = with_chunks(cicp(12, 13), base=saved("PNG", wide))
    assert apart(images.read(data).image, muted) < 1.5
    # The numbers come before a profile.
    data = with_chunks(cicp(1, 13), base=saved("PNG", muted, icc_profile=PROFILES["Display P3"]))
    assert images.read(data).image.tobytes() == muted.tobytes()


def with_nclx(data: bytes, primaries: int, curve: int) -> bytes:
    place = data.index(b"colrnclx") + 8
    return data[:place] + struct.pack(">HH", primaries, curve) + data[place + 4 :]


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_avif_and_heif_by_numbers(kind, muted):
    options = {"quality": 99} | ({"subsampling": "4:4:4"} if kind == "AVIF" else {})
    plain = saved(kind, muted, **options)
    assert containers.nclx(plain) is not None
    for curve in (16, 18):
        with pytest.raises(PictureError, match="HDR picture"):
            images.read(with_nclx(plain, 9, curve))
    wide = saved(kind, converted(muted, PROFILES["Display P3"]), **options)
    assert apart(images.read(with_nclx(wide, 12, 13)).image, muted) < 1.5


def test_adobe_rgb_by_the_cameras_own_rule(muted):
    exif = Image.Exif()
    inner = exif.get_ifd(0x8769)
    inner[0xA001] = 0xFFFF
    interoperability = TiffImagePlugin.ImageFileDirectory_v2()
    interoperability[1] = "R03"
    inner[0xA005] = dict(interoperability)
    written = converted(muted, PROFILES["Adobe RGB"])
    data = saved("JPEG", written, quality=98, subsampling=0, exif=exif)
    assert apart(images.read(data).image, muted) < 1.5
    profile = {"icc_profile": SRGB}  # a profile says more
    data = saved("JPEG", written, quality=98, subsampling=0, exif=exif, **profile)
    assert apart(images.read(data).image, written) < 1.5


def test_the_verdict_does_not_move_with_the_profile(detector, muted):
    large = muted.resize((400, 320), Image.Resampling.BICUBIC)
    plain = detector.predict(saved("PNG", large), explain=False)
    for profile in PROFILES.values():
        data = saved("PNG", converted(large, profile), icc_profile=profile)
        other = detector.predict(data, explain=False)
        assert other.verdict == plain.verdict


# --- gAMA and cHRM of PNG ---------------------------------------------------------------------

D65, D50 = (0.3127, 0.3290), (0.3457, 0.3585)


def gama(exponent: float, **options) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(exponent * 100_000)), **options)


def chrm(primaries, white=D65) -> bytes:
    numbers = [round(n * 100_000) for pair in (white, *primaries) for n in pair]
    return chunk(b"cHRM", struct.pack(">8I", *numbers))


@pytest.mark.parametrize("name", ["Display P3", "Adobe RGB"])
@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_gamma_and_primaries_give_what_a_profile_of_them_gives(name, mode, muted):
    """Little CMS is the other decoder."""
    written = converted(muted, rgb_profile(name, 1.8)).convert(mode)
    profile = images.read(saved("PNG", written, icc_profile=rgb_profile(name, 1.8))).image
    data = with_chunks(gama(1 / 1.8), chrm(PRIMARIES[name]), base=saved("PNG", written))
    read = images.read(data)
    assert read.warnings == ()
    assert apart(read.image, profile) < 0.5
    assert apart(read.image, written) > 1.5


def test_a_white_of_its_own_stays_white(picture):
    white = Image.new("RGB", (100, 80), "white")
    warm = with_chunks(chrm(PRIMARIES["sRGB"], D50), base=saved("PNG", white))
    assert apart(images.read(warm).image, white) < 1
    # Other colours move: under another white the same primaries are other colours.
    warm = with_chunks(chrm(PRIMARIES["sRGB"], D50), base=saved("PNG", picture))
    assert apart(images.read(warm).image, picture) > 1


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_gamma_by_its_formula(mode):
    """Values are light to the power of gAMA; sRGB's own curve shows that light."""
    ramp = Image.linear_gradient("L").convert(mode)
    light = np.arange(256) / 255
    shown = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    seen = np.asarray(images.read(with_chunks(gama(1.0), base=saved("PNG", ramp))).image)
    assert np.abs(seen[:, 0] - shown[:, None] * 255).max() <= 0.5
    brighter = images.read(with_chunks(gama(1 / 1.8), base=saved("PNG", ramp))).image
    assert np.asarray(brighter)[128].mean() > np.asarray(ramp.convert("RGB"))[128].mean() + 10


@pytest.mark.parametrize(
    "chunks",
    [
        [gama(0.45455)],
        [gama(0.45455), chrm(((0.64, 0.33), (0.3, 0.6), (0.15, 0.06)))],
        [chrm(((0.6401, 0.3299), (0.3, 0.6001), (0.1501, 0.06)), (0.31269, 0.32899))],
        [chunk(b"sRGB", b"\0"), gama(1.0)],
        [gama(1.0), chunk(b"sRGB", b"\0")],
        [gama(1.0, right=False)],
        [chunk(b"gAMA", b"\0\0")],
        [chrm(((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))), cicp(1, 13)],
    ],
    ids=["usual", "both usual", "rounded", "sRGB", "sRGB after", "checksum", "short", "cICP"],
)
def test_what_means_srgb_keeps_every_bit(chunks, picture):
    read = images.read(with_chunks(*chunks, base=saved("PNG", picture)))
    assert read.image.tobytes() == picture.tobytes()
    assert colour.UNUSABLE not in read.warnings


def test_a_profile_comes_before_gamma_and_primaries(muted):
    data = saved("PNG", muted, icc_profile=SRGB)
    read = images.read(with_chunks(gama(1.0), base=data))
    assert read.image.tobytes() == muted.tobytes()


@pytest.mark.parametrize(
    "chunks",
    [
        [gama(0)],
        [gama(40_000)],
        [gama(0.01)],
        [chunk(b"cHRM", bytes(32))],
        [chunk(b"cHRM", b"\xff" * 32)],
        [chrm(((0.64, 0.33), (0.64, 0.33), (0.15, 0.06)))],  # no area
        [chrm(((0.64, 0.33), (0.3, 0.6), (0.15, 0.06)), (0.7, 0.25))],  # white outside
        [chrm(((0.64, 0.0), (0.3, 0.6), (0.15, 0.06)))],
    ],
)
def test_gamma_and_primaries_that_make_no_sense_are_left_out_with_a_note(chunks, picture):
    read = images.read(with_chunks(*chunks, base=saved("PNG", picture)))
    assert read.image.tobytes() == picture.tobytes()
    assert read.warnings == (colour.UNUSABLE,)


def test_gamma_counts_in_a_damaged_file_too(muted):
    written = converted(muted, rgb_profile("sRGB", 1.8))
    broken = chunk(b"tEXt", b"Comment\0x", right=False)
    whole = images.read(with_chunks(gama(1 / 1.8), base=saved("PNG", written)))
    read = images.read(with_chunks(gama(1 / 1.8), broken, base=saved("PNG", written)))
    assert read.image.tobytes() == whole.image.tobytes()
    assert apart(read.image, muted) < 1.5
