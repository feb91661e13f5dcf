"""The front door: a path, bytes or a PIL image in; one safe, upright RGB picture out."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from PIL import ExifTags, Image, ImageChops

from realitycheck.errors import PictureError, TooSmallError
from realitycheck.images import colour, opening, raw, stealth
from realitycheck.images.formats import MAX_PIXELS, READ_ERRORS
from realitycheck.images.opening import PLANES, damaged

# EXIF orientation to the turn that undoes it (EXIF 2.32, tag 274).
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
MAX_BYTES = 25 * 1024 * 1024
MIN_SIDE = 64
PHOTOMETRIC = 262  # tag of TIFF


@dataclass(frozen=True)
class Picture:
    """A picture ready to be examined.

    Attributes:
        image: upright, mode RGB, 8 bits a channel, no alpha.
        data: the bytes as they came, untouched; None when a PIL image was given.
        name: file name without folder, or "".
        format: Pillow's name of the container ("JPEG"), or "".
        warnings: sentences about what was done to make it readable.
        hidden: place, key and text of what its pixels hold; see `stealth`.
    """

    image: Image.Image
    data: bytes | None
    name: str
    format: str
    warnings: tuple[str, ...] = ()
    hidden: tuple[tuple[str, str, str], ...] = ()


def read(source: str | Path | bytes | Image.Image | Picture, min_side: int = MIN_SIDE) -> Picture:
    """Reads a picture from wherever it is.

    Args:
        source: a file path, the file's bytes, a PIL image, or a picture read before.
        min_side: px that its short side must have.

    Returns:
        The picture, between `min_side` on its short side and 40 megapixels.

    Raises:
        PictureError: no such file, no image, truncated, larger than 25 MB or 40 megapixels.
        TooSmallError: smaller than `min_side`.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, Image.Image):
        _check_size(source.size, min_side)
        return _upright_rgb(source)
    if isinstance(source, bytes | bytearray | memoryview):
        data, name = bytes(source), ""
    elif isinstance(source, str | Path):
        data, name = _read_file(Path(source)), Path(source).name
    else:
        raise PictureError(
            f"Cannot read a picture from a {type(source).__name__}: pass a path, bytes or a PIL "
            "image."
        )
    return _decode(data, name, min_side)


def allowed_path(path: str | Path, folders: Iterable[str | Path]) -> Path:
    """Resolves a path that a web client named, if it may be opened.

    Gradio hands a callback whatever path a client writes into its request, so every such
    path is checked here before anything opens it.

    Args:
        path: the path as received.
        folders: folders whose files may be opened.

    Returns:
        The resolved path of an existing regular file in one of the folders.

    Raises:
        PictureError: anything else. The message does not tell whether the file exists.
    """
    refusal = PictureError("This is not a picture you uploaded. Upload it again and retry.")
    try:
        resolved = Path(path).resolve(strict=True)
        inside = any(resolved.is_relative_to(Path(folder).resolve()) for folder in folders)
        if inside and resolved.is_file():
            return resolved
    except (OSError, ValueError, TypeError, RuntimeError):
        pass
    raise refusal


def _read_file(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise PictureError(f"{path} is a folder. Give a picture file.")
        if not path.is_file():
            raise PictureError(f"There is no file {path}. Check the path.")
        if path.stat().st_size > MAX_BYTES:
            raise too_many_bytes(path.stat().st_size)
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PictureError(f"Cannot open {path}: {reason}.") from error


def too_many_bytes(size: int) -> PictureError:
    """The error of a file that is too large to be read.

    Args:
        size: of the file, bytes.
    """
    return PictureError(
        f"The file has {size / 2**20:.0f} MB; the limit is {MAX_BYTES >> 20} MB. "
        "Save it smaller, or crop the part that matters at its original scale."
    )


def _decode(data: bytes, name: str, min_side: int) -> Picture:
    if not data:
        raise PictureError("The file is empty. Upload it again, or save it anew.")
    if len(data) > MAX_BYTES:
        raise too_many_bytes(len(data))
    if camera := raw.kind(data, name):
        raise PictureError(
            f"This is a camera's raw file ({camera}): only its thumbnail could be read. Export it "
            "as a JPEG and retry."
        )
    check = partial(_check_size, min_side=min_side)
    return _normalise(opening.opened(data, check), data, name)


def _upright_rgb(image: Image.Image) -> Picture:
    """Reads a PIL image, which may not have been loaded yet."""
    if opening.planes_apart(image):
        raise PictureError(PLANES)
    try:
        image.load()
        return _normalise(opening.Opened(image, image.info.get("icc_profile") or b""), None, "")
    except READ_ERRORS as error:
        raise damaged(image.format or "picture") from error


def _check_size(size: tuple[int, int], min_side: int) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise PictureError(
            f"The picture has {width * height / 1e6:.0f} megapixels; the limit is "
            f"{MAX_PIXELS // 10**6}. Save it smaller, or crop the part that matters."
        )
    if min(size) < min_side:
        raise TooSmallError(
            f"The picture is {width} x {height} px; at least {min_side} px on each side are needed."
            " Find a larger copy: enlarging this one adds no evidence.",
            size,
            min_side,
        )


def _normalise(opened: opening.Opened, data: bytes | None, name: str) -> Picture:
    image, warnings = opened.image, [*opened.notes]
    kind = image.format or opened.format
    # An MPO is a phone photo with a preview behind it, a HEIF may hold a burst: not animations.
    if kind not in ("MPO", "HEIF") and getattr(image, "is_animated", False):
        warnings.append("The file holds several frames or pages: only the first was examined.")
    hidden = tuple(stealth.notes(image))
    inverted = image.mode.startswith("I;16") and _white_is_zero(image)
    image, readable = _upright(image, opened.orientation)
    if not readable:
        warnings.append("The file's orientation tag could not be read; shown as stored.")
    if image.mode.startswith("I") or image.mode == "F":
        warnings.append(f"Values of more than 8 bits (mode {image.mode}) were scaled to 8 bits.")
        image = _to_8_bit(image)
        image = ImageChops.invert(image) if inverted else image
    image, alpha = _without_alpha(image, kind)
    image, note = _in_srgb(image, opened)
    warnings += [note] if note else []
    if image.mode != "RGB":  # converting copies
        image = image.convert("RGB")
    if alpha:
        warnings.append("Transparent parts were put on white.")
        white = Image.new("RGBA", image.size, "white")
        image.putalpha(alpha)
        image = Image.alpha_composite(white, image).convert("RGB")
    # What was done must not be done again when the image is read anew.
    image.info = {}
    return Picture(image, data, name, kind, tuple(warnings), hidden)


def _without_alpha(image: Image.Image, kind: str) -> tuple[Image.Image, Image.Image | None]:
    """A picture's colours, and its alpha where some of it is transparent."""
    if not image.has_transparency_data:
        return image, None
    full = image.convert("RGBA")
    alpha = full.getchannel("A")
    low, high = cast(tuple[int, int], alpha.getextrema())
    # Clipboards fill the fourth byte of a BMP with zeros and mean nothing by it. Nobody sees
    # the lowest bit of alpha, in which settings may be hidden.
    seen = low >= 254 or (high == 0 and kind == "BMP")
    grey = image.mode in ("LA", "La")
    return full.convert("L" if grey else "RGB"), None if seen else alpha


def _in_srgb(image: Image.Image, opened: opening.Opened) -> tuple[Image.Image, str]:
    """A picture in sRGB, and a note or ""."""
    if opened.profile and image.mode not in ("LAB", "HSV"):
        if image.mode not in ("RGB", "L", "CMYK"):
            image = image.convert("L" if image.mode == "1" else "RGB")
        return colour.from_profile(image, opened.profile)
    if opened.space and image.mode in ("RGB", "P", "L"):
        return colour.from_space(image.convert("RGB"), opened.space), ""
    return image, ""


def _white_is_zero(image: Image.Image) -> bool:
    """Whether a TIFF's values count from white: Pillow heeds it in 8 bits alone."""
    return getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == 0


def _upright(image: Image.Image, orientation: int | None) -> tuple[Image.Image, bool]:
    """Turns a picture by its EXIF orientation; False where that cannot be read.

    Pillow's own helper also writes the other tags anew, and fails on any damaged one.

    Args:
        image: as it is stored.
        orientation: where it is known already.
    """
    try:
        if orientation is None:
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        turn = TURNS.get(orientation)
    except READ_ERRORS:
        # Copied, because the caller may go on drawing on its image from another thread.
        return image.copy(), False
    return (image.copy() if turn is None else image.transpose(turn)), True


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Scales 16-bit, 32-bit and float greys by the range their values imply.

    Pillow's own conversion clips: 16-bit pictures turn white and floats in [0, 1] black.
    """
    values = np.nan_to_num(np.asarray(image, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    top = values.max(initial=0.0)
    if image.mode.startswith("I;16"):
        full = 65535.0
    else:
        full = next((limit for limit in (1.0, 255.0, 65535.0) if top <= limit), top)
        if image.mode == "I" and top <= 1.0:
            full = 255.0
    return Image.fromarray(np.clip(values * (255.0 / full), 0, 255).round().astype(np.uint8))
