"""Reads settings that generators hide in pixels ("stealth PNG info"): one bit of each.

NovelAI and an extension of Stable Diffusion's web UI write them into the lowest bits of alpha, or
of red, green and blue, column by column: a signature, the text's length in bits (32, the highest
first), and the text in UTF-8, plain or packed by gzip. No picture says such a signature by chance:
it has 120 bits. Saving with loss, or scaling, removes all of it.
"""

import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from realitycheck.images.text import decoded

MOST_PACKED = 1 << 20  # bytes; a prompt has some thousand
MOST_UNPACKED = 8 << 20
_SIGNATURE = 15  # bytes
_HEAD = _SIGNATURE + 4
_GZIP = 31  # what tells zlib to expect gzip's frame


def notes(image: Image.Image) -> Iterator[tuple[str, str, str]]:
    """What a picture's pixels hold, as place, key and text. Never raises.

    Args:
        image: loaded, as it was stored: not turned, and with its alpha.
    """
    if image.mode in ("RGBA", "LA") and (found := _text(image, "png")):
        yield "alpha channel", *found
    if image.mode in ("RGB", "RGBA") and (found := _text(image, "rgb")):
        yield "pixels", *found


def _text(image: Image.Image, kind: str) -> tuple[str, str] | None:
    """Signature and text of an image's bits, where they begin with one of this kind."""
    channels = slice(-1, None) if kind == "png" else slice(3)
    head = _bytes(image, channels, _HEAD)
    signature = head[:_SIGNATURE]
    if signature not in (f"stealth_{kind}info".encode(), f"stealth_{kind}comp".encode()):
        return None
    length = int.from_bytes(head[_SIGNATURE:], "big") // 8
    if length > MOST_PACKED:
        return None
    text = _bytes(image, channels, _HEAD + length)[_HEAD:]
    if signature.endswith(b"comp"):
        try:
            text = zlib.decompressobj(_GZIP).decompress(text, MOST_UNPACKED)
        except zlib.error:
            return None
    return signature.decode(), decoded(text)


def _bytes(image: Image.Image, channels: slice, count: int) -> bytes:
    """The first bytes that the lowest bits make, down the first column, then the next."""
    columns = min(image.width, -(-8 * count // image.height))
    values = np.asarray(image.crop((0, 0, columns, image.height)))[..., channels]
    bits = values.transpose(1, 0, 2).ravel()[: 8 * count] & 1
    return np.packbits(bits).tobytes()
