"""The front door: a path, bytes or a PIL image in; one safe, upright RGB picture out."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from realitycheck.errors import PictureError
from realitycheck.images.formats import FORMATS, HEIC, READ_ERRORS

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
MAX_PIXELS = 40_000_000
MIN_SIDE = 64


@dataclass(frozen=True)
class Picture:
    """A picture ready to be examined.

    Attributes:
        image: upright, mode RGB, 8 bits a channel, no alpha.
        data: the bytes as they came, untouched; None when a PIL image was given.
        name: file name without folder, or "".
        format: Pillow's name of the container ("JPEG"), or "".
        warnings: sentences about what was done to make it readable.
    """

    image: Image.Image
    data: bytes | None
    name: str
    format: str
    warnings: tuple[str, ...] = ()


def read(source: str | Path | bytes | Image.Image | Picture) -> Picture:
    """Reads a picture from wherever it is.

    Args:
        source: a file path, the file's bytes, a PIL image, or a picture read before.

    Returns:
        The picture, between 64 px on its short side and 40 megapixels.

    Raises:
        PictureError: no such file, no image, truncated, larger than 25 MB or 40 megapixels,
            or smaller than 64 px.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, Image.Image):
        _check_size(source.size)
        return _upright_rgb(source, None, "")
    if isinstance(source, bytes | bytearray | memoryview):
        data, name = bytes(source), ""
    elif isinstance(source, str | Path):
        data, name = _read_file(Path(source)), Path(source).name
    else:
        raise PictureError(
            f"Cannot read a picture from a {type(source).__name__}: pass a path, bytes or a PIL "
            "image."
        )
    return _decode(data, name)


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
            raise _too_many_bytes(path.stat().st_size)
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PictureError(f"Cannot open {path}: {reason}.") from error


def _too_many_bytes(size: int) -> PictureError:
    return PictureError(
        f"The file has {size / 2**20:.0f} MB; the limit is {MAX_BYTES >> 20} MB. "
        "Save it smaller, or crop the part that matters at its original scale."
    )


def _decode(data: bytes, name: str) -> Picture:
    if not data:
        raise PictureError("The file is empty. Upload it again, or save it anew.")
    if len(data) > MAX_BYTES:
        raise _too_many_bytes(len(data))
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        _check_size(image.size)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(
            f"The picture has more than {MAX_PIXELS // 10**6} megapixels. Save it smaller."
        ) from error
    except READ_ERRORS as error:
        hint = "" if HEIC else " (HEIC needs the pillow-heif package)"
        raise PictureError(
            "This is not a picture we can read. Use JPEG, PNG, WebP, AVIF, HEIC, GIF, BMP or "
            f"TIFF{hint}."
        ) from error
    return _upright_rgb(image, data, name)


def _upright_rgb(image: Image.Image, data: bytes | None, name: str) -> Picture:
    try:
        image.load()
        return _normalise(image, data, name)
    except READ_ERRORS as error:
        raise PictureError(
            f"The {image.format or 'picture'} file is damaged or cut short. Get the original "
            "again, or open and save it in a picture editor."
        ) from error


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise PictureError(
            f"The picture has {width * height / 1e6:.0f} megapixels; the limit is "
            f"{MAX_PIXELS // 10**6}. Save it smaller, or crop the part that matters."
        )
    if min(size) < MIN_SIDE:
        raise PictureError(
            f"The picture is {width} x {height} px; at least {MIN_SIDE} px on each side are needed."
            " Find a larger copy: enlarging this one adds no evidence."
        )


def _normalise(image: Image.Image, data: bytes | None, name: str) -> Picture:
    kind = image.format or ""
    warnings = []
    # An MPO is a phone photo with a preview behind it, a HEIF may hold a burst: not animations.
    if kind not in ("MPO", "HEIF") and getattr(image, "is_animated", False):
        warnings.append("The file holds several frames or pages: only the first was examined.")
    image, readable = _upright(image)
    if not readable:
        warnings.append("The file's orientation tag could not be read; shown as stored.")
    if image.mode.startswith("I") or image.mode == "F":
        warnings.append(f"Values of more than 8 bits (mode {image.mode}) were scaled to 8 bits.")
        image = _to_8_bit(image)
    if image.has_transparency_data:
        warnings.append("Transparent parts were put on white.")
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return Picture(image.convert("RGB"), data, name, kind, tuple(warnings))


def _upright(image: Image.Image) -> tuple[Image.Image, bool]:
    """Turns a picture by its EXIF orientation; False where that cannot be read.

    Pillow's own helper also writes the other tags anew, and fails on any damaged one.
    """
    try:
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
