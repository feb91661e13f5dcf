"""Brings colours to sRGB, so that a picture looks the same whatever its colours are written in.

ICC profiles go through Little CMS (`ImageCms`), relative colorimetric. What a container says by
numbers (CICP, ITU-T H.273; gAMA and cHRM of PNG) and cameras by a letter (DCF 2.0) goes through the
same steps here. A picture that is sRGB already, or says nothing, keeps every bit.
"""

import hashlib
import io
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

from realitycheck.images import containers
from realitycheck.images.formats import READ_ERRORS

MOST_PROFILE = 4 << 20  # bytes
UNUSABLE = "The file's colour profile could not be used: its colours were read as sRGB."
_NEUTRAL = 2  # of 255: a profile that moves no colour further is sRGB by another name
_PQ, _HLG = 16, 18
_LINEAR = 8
# x and y of red, green and blue; the white of all of them is that of daylight (D65).
_PRIMARIES = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_ADOBE_RGB = ((0.640, 0.330), (0.210, 0.710), (0.150, 0.060))
_WHITE = (0.3127, 0.3290)
_GAMMAS = {4: 2.2, 5: 2.8, _LINEAR: 1.0}
_USUAL_GAMMA = (2.15, 2.25)  # of PNG: what is written there for sRGB's own curve
_LEAST_GAMMA, _MOST_GAMMA = 0.2, 5.0
# From XYZ to the responses of the eye's cones, by Bradford (Lam 1985).
_CONES = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_ROWS = 256  # converted at a time


@dataclass(frozen=True)
class Space:
    """The colours of a picture by numbers.

    Attributes:
        primaries: x and y of red, green and blue.
        gamma: of the curve; 0 for sRGB's own.
        white: x and y of white.
    """

    primaries: tuple[tuple[float, float], ...]
    gamma: float = 0.0
    white: tuple[float, float] = _WHITE


ADOBE_RGB = Space(_ADOBE_RGB, 563 / 256)


def signalled(data: bytes, container: str) -> tuple[int, int] | None:
    """Numbers of the primaries and the curve that a container names (H.273), or None."""
    try:
        if container == "PNG":
            for kind, body, _ in containers.png_chunks(data):
                if kind == b"cICP" and len(body) >= 2:
                    return body[0], body[1]
                if kind == b"IDAT":
                    return None
        if container in ("AVIF", "HEIF"):
            return containers.nclx(data)
    except READ_ERRORS:
        pass
    return None


def is_hdr(numbers: tuple[int, int] | None, profile: bytes) -> bool:
    """Whether values mean light beyond white: the curves PQ and HLG."""
    if numbers and numbers[1] in (_PQ, _HLG):
        return True
    count = int.from_bytes(profile[128:132], "big")
    for entry in range(min(count, 100)):
        row = profile[132 + 12 * entry : 144 + 12 * entry].ljust(12, b"\0")
        name, place, length = struct.unpack(">4sII", row)
        tag = profile[place : place + min(length, 400)]
        if name == b"cicp" and len(tag) >= 10:
            return tag[9] in (_PQ, _HLG)
        plain = tag.replace(b"\0", b"")
        if name == b"desc" and b"2100" in plain and (b"PQ" in plain or b"HLG" in plain):
            return True
    return False


def space(numbers: tuple[int, int] | None) -> Space | None:
    """The space of such numbers; None where it is sRGB, unsaid or hardly another."""
    if numbers is None:
        return None
    primaries, curve = numbers
    gamma = _GAMMAS.get(curve, 0.0)
    if primaries not in _PRIMARIES or (primaries == 1 and not gamma):
        return None
    return Space(_PRIMARIES[primaries], gamma)


def png_space(data: bytes) -> Space | None:
    """The space that a PNG's gAMA and cHRM describe; None where that is sRGB or unsaid.

    Source: PNG, third edition, 11.3.2; a chunk sRGB comes before both.

    Raises:
        ValueError: they describe none.
    """
    said: dict[bytes, tuple[float, ...]] = {}
    for kind, body, checksum in containers.png_chunks(data):
        if kind == b"sRGB":
            return None
        if kind == b"IDAT":
            break
        count = {b"gAMA": 1, b"cHRM": 8}.get(kind)
        right = checksum == struct.pack(">I", zlib.crc32(kind + body))
        if count and right and len(body) == 4 * count:
            said[kind] = tuple(n / 100_000 for n in struct.unpack(f">{count}I", body))
    if not said:
        return None
    found = Space(_PRIMARIES[1], _png_gamma(*said.get(b"gAMA", (1 / 2.2,))))
    if b"cHRM" in said:
        white, *primaries = zip(said[b"cHRM"][::2], said[b"cHRM"][1::2], strict=True)
        found = Space(tuple(primaries), found.gamma, white)
    return None if _is_srgb(found) else found


def _png_gamma(exponent: float) -> float:
    gamma = 1 / max(exponent, 1e-5)
    if not _LEAST_GAMMA <= gamma <= _MOST_GAMMA:
        raise ValueError(f"no such gamma: {gamma}")
    return 0.0 if _USUAL_GAMMA[0] <= gamma <= _USUAL_GAMMA[1] else gamma


@lru_cache(maxsize=100)
def _is_srgb(source: Space) -> bool:
    """Whether a space moves no colour.

    Raises:
        ValueError: its primaries enclose no colours, or not its white.
    """
    colours = np.array([*source.primaries, source.white])
    if (colours < 0).any() or (colours.sum(axis=1) > 1).any() or (colours[:, 1] < 0.01).any():
        raise ValueError("no such colours")
    # Of light of each primary a white needs some.
    if _to_xyz(source.primaries, source.white)[1].min() < 0.001:
        raise ValueError("the white is not among the colours")
    before = Image.fromarray(_grid())
    moved = np.asarray(from_space(before, source), np.int16) - np.asarray(before, np.int16)
    return bool(np.abs(moved).max() <= _NEUTRAL)


def from_space(image: Image.Image, source: Space) -> Image.Image:
    """An RGB picture of another space, in sRGB."""
    levels = np.arange(256) / 255
    linear = np.power(levels, source.gamma) if source.gamma else _decoded(levels)
    light_of = _adapted(source.white) @ _to_xyz(source.primaries, source.white)
    matrix = (np.linalg.inv(_to_xyz(_PRIMARIES[1], _WHITE)) @ light_of).T
    values = np.asarray(image)
    made = np.empty_like(values)
    for top in range(0, len(values), _ROWS):
        light = linear.astype(np.float32)[values[top : top + _ROWS]] @ matrix.astype(np.float32)
        coded = _encoded(np.clip(light, 0, 1))
        made[top : top + _ROWS] = (coded * 255).round().astype(np.uint8)
    return Image.fromarray(made)


def from_profile(image: Image.Image, profile: bytes) -> tuple[Image.Image, str]:
    """A picture of an ICC profile, in sRGB.

    Args:
        image: mode RGB, L or CMYK.
        profile: as the file holds it.

    Returns:
        The picture (the same one where nothing changes), and a note or "".
    """
    if len(profile) > MOST_PROFILE:
        return image, UNUSABLE
    try:
        wanted, neutral = _known(profile)
        if wanted == "RGB" and image.mode == "L":
            image = image.convert("RGB")  # a grey picture in a colour space: no contradiction
        if wanted == "L" and image.mode == "RGB" and _is_grey(image):
            image = image.convert("L")  # as formats without grey keep it
        if wanted != image.mode:
            return image, UNUSABLE
        if neutral:
            return image, ""
        return _through(image, ImageCms.ImageCmsProfile(io.BytesIO(profile))), ""
    except (ImageCms.PyCMSError, *READ_ERRORS):
        return image, UNUSABLE


_seen: dict[bytes, tuple[str, bool]] = {}  # few profiles are in use, and each takes ms to read


def _known(profile: bytes) -> tuple[str, bool]:
    """Mode of the pictures that a profile is for ("" if none), and whether it is sRGB."""
    digest = hashlib.sha256(profile).digest()
    if (known := _seen.get(digest)) is None:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        mode = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}.get(space, "")
        known = (mode, bool(mode) and _is_neutral(source, mode))
        if len(_seen) >= 100:
            _seen.clear()
        _seen[digest] = known
    return known


def _is_grey(image: Image.Image) -> bool:
    red, green, blue = image.split()
    return red.tobytes() == green.tobytes() == blue.tobytes()


def _is_neutral(source: ImageCms.ImageCmsProfile, mode: str) -> bool:
    """Whether a profile moves no colour: it is sRGB, under whatever name."""
    if mode == "CMYK":
        return False
    grid = np.arange(256, dtype=np.uint8)[None] if mode == "L" else _grid()
    before = Image.fromarray(grid)
    after = _through(before, source)
    moved = np.asarray(after, np.int16) - np.asarray(before.convert("RGB"), np.int16)
    return bool(np.abs(moved).max() <= _NEUTRAL)


def _grid() -> np.ndarray:
    """Colours of all kinds, [17, 289, 3]."""
    steps = np.uint8(np.linspace(0, 255, 17))
    return np.stack(np.meshgrid(steps, steps, steps), -1).reshape(17, -1, 3)


def _through(image: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    # Built for each picture: one transform must not serve two threads.
    transform = ImageCms.buildTransform(
        source,
        ImageCms.createProfile("sRGB"),
        image.mode,
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    made = ImageCms.applyTransform(image, transform)
    if made is None:
        raise ValueError("no picture came out")
    return made


def _to_xyz(primaries: tuple[tuple[float, float], ...], white: tuple[float, float]) -> np.ndarray:
    columns = np.array([_xyz(*primary) for primary in primaries]).T
    scaled: np.ndarray = columns * np.linalg.solve(columns, _xyz(*white))
    return scaled


def _xyz(x: float, y: float) -> np.ndarray:
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _adapted(white: tuple[float, float]) -> np.ndarray:
    """From colours as they look under one white to the same under daylight."""
    scale = (_CONES @ _xyz(*_WHITE)) / (_CONES @ _xyz(*white))
    matrix: np.ndarray = np.linalg.inv(_CONES) @ np.diag(scale) @ _CONES
    return matrix


def _decoded(values: np.ndarray) -> np.ndarray:
    """Light of sRGB values in [0, 1] (IEC 61966-2-1)."""
    light: np.ndarray = np.where(
        values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4
    )
    return light


def _encoded(light: np.ndarray) -> np.ndarray:
    values: np.ndarray = np.where(
        light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055
    )
    return values
