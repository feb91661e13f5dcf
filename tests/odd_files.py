"""Builds picture files byte by byte: metadata in every place, odd pixels, colour profiles."""

import hashlib
import io
import json
import struct
import zlib

import numpy as np
from helpers import drawing
from PIL import Image

TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
AI = "trainedAlgorithmicMedia"
PROMPT = "a lighthouse in a storm, oil painting"
SETTINGS = (
    "\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1234, "
    "Size: 96x80, Model hash: 0123456789, Model: drawn, Version: v1.10.1"
)


def saved(kind: str = "JPEG", image: Image.Image | None = None, **options) -> bytes:
    buffer = io.BytesIO()
    (image or drawing(96, 80)).save(buffer, kind, **options)
    return buffer.getvalue()


# --- PNG ------------------------------------------------------------------------------------


def chunk(name: bytes, body: bytes, *, right: bool = True) -> bytes:
    checksum = zlib.crc32(name + body) ^ (0 if right else 0x5A5A5A5A)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)


def with_chunks(*chunks: bytes, behind: bool = False, base: bytes | None = None) -> bytes:
    data = base or saved("PNG")
    place = data.rindex(b"IEND") - 4 if behind else data.index(b"IDAT") - 4
    return data[:place] + b"".join(chunks) + data[place:]


def text_chunk(key: str, text: str | bytes, *, packed: bool = False, right: bool = True) -> bytes:
    raw = text if isinstance(text, bytes) else text.encode()
    body = b"\0\1\0\0\0" + zlib.compress(raw, 9) if packed else b"\0\0\0\0\0" + raw
    return chunk(b"iTXt", key.encode() + body, right=right)


def png(**texts: str) -> bytes:
    return with_chunks(*(text_chunk(key, text) for key, text in texts.items()))


def raw_profile(kind: str, content: bytes) -> bytes:
    """A profile as ImageMagick writes it into a PNG text."""
    digits = content.hex()
    lines = "\n".join(digits[i : i + 72] for i in range(0, len(digits), 72))
    text = f"\n{kind}\n{len(content):8d}\n{lines}\n"
    return chunk(b"tEXt", f"Raw profile type {kind}\0{text}".encode("latin-1"))


# --- JPEG, EXIF, XMP, IPTC ------------------------------------------------------------------


def with_segments(*segments: tuple[int, bytes], base: bytes | None = None) -> bytes:
    data = base or saved()
    made = (struct.pack(">BBH", 0xFF, number, len(body) + 2) + body for number, body in segments)
    return data[:2] + b"".join(made) + data[2:]


def exif(comment: bytes = b"", order: str = "<", **tags: str | bytes) -> bytes:
    """A TIFF structure with a UserComment and tags of the first directory ("t270=...")."""
    entries = [
        (int(tag[1:]), 1, value)
        if isinstance(value, bytes)
        else (int(tag[1:]), 2, value.encode() + b"\0")
        for tag, value in sorted(tags.items())
    ]
    size = 8 + 2 + 12 * (len(entries) + bool(comment)) + 4
    table, heap = b"", b""
    for tag, kind, raw in entries:
        table += struct.pack(order + "HHI", tag, kind, len(raw))
        if len(raw) <= 4:
            table += raw.ljust(4, b"\0")
        else:
            table += struct.pack(order + "I", size + len(heap))
            heap += raw + b"\0" * (len(raw) % 2)
    inner = b""
    if comment:
        start = size + len(heap)
        table += struct.pack(order + "HHII", 0x8769, 4, 1, start)
        inner = struct.pack(order + "HHHII", 1, 0x9286, 7, len(comment), start + 18)
        inner += struct.pack(order + "I", 0) + comment
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    count = struct.pack(order + "H", len(entries) + bool(comment))
    return head + count + table + bytes(4) + heap + inner


def jpeg_exif(*args, **tags) -> bytes:
    return with_segments((0xE1, b"Exif\0\0" + exif(*args, **tags)))


def utf16(text: str, order: str = "<", mark: bool = False) -> bytes:
    coded = text.encode("utf-16-le" if order == "<" else "utf-16-be")
    return b"UNICODE\0" + ((b"\xff\xfe" if order == "<" else b"\xfe\xff") if mark else b"") + coded


NAMESPACES = {
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpNote": "http://ns.adobe.com/xmp/note/",
}


def xmp(inside: str = "", **attributes: str) -> str:
    """An XMP packet; attributes are given as "prefix__name"."""
    names = "".join(f'\n    xmlns:{prefix}="{name}"' for prefix, name in NAMESPACES.items())
    values = "".join(
        f'\n    {key.replace("__", ":")}="{value}"' for key, value in attributes.items()
    )
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
        ' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
        f'  <rdf:Description rdf:about=""{names}{values}>{inside}</rdf:Description>\n'
        ' </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>'
    )


def label(term: str = AI, inside: str = "") -> str:
    return xmp(inside, Iptc4xmpExt__DigitalSourceType=TYPES + term)


def alternatives(name: str, text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return f'<{name}><rdf:Alt><rdf:li xml:lang="x-default">{escaped}</rdf:li></rdf:Alt></{name}>'


def jpeg_xmp(*packets: str | bytes) -> bytes:
    raw = [packet if isinstance(packet, bytes) else packet.encode() for packet in packets]
    head = b"http://ns.adobe.com/xap/1.0/\0"
    return with_segments(*((0xE1, head + packet) for packet in raw))


def jpeg_extended_xmp(packet: str, pieces: int = 1, *, backwards=False, named=True) -> bytes:
    """A JPEG whose main packet points to a second one, kept in pieces (XMP, part 3)."""
    raw = packet.encode()
    name = hashlib.md5(raw).hexdigest().upper()
    step = -(-len(raw) // pieces)
    parts = [
        b"http://ns.adobe.com/xmp/extension/\0"
        + name.encode()
        + struct.pack(">II", len(raw), start)
        + raw[start : start + step]
        for start in range(0, len(raw), step)
    ]
    main = xmp(xmpNote__HasExtendedXMP=name if named else "0" * 32)
    segments = [b"http://ns.adobe.com/xap/1.0/\0" + main.encode()]
    segments += parts[::-1] if backwards else parts
    return with_segments(*((0xE1, part) for part in segments))


def gif_xmp(packet: str, behind: bool = False) -> bytes:
    data = saved("GIF", drawing(96, 80).convert("P"))
    trailer = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    block = b"\x21\xff\x0bXMP DataXMP" + packet.encode() + trailer
    if behind:
        return data[:-1] + block + data[-1:]
    place = 13 + (3 * 2 ** ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    return data[:place] + block + data[place:]


def iim(*records: tuple[int, str]) -> bytes:
    """An IPTC-IIM record with fields of its second part, in UTF-8."""
    made = b"\x1c\x01\x5a\0\x03\x1b%G"
    for number, text in records:
        made += struct.pack(">BBBH", 0x1C, 2, number, len(text.encode())) + text.encode()
    return made


def resource(number: int, body: bytes) -> bytes:
    """A Photoshop image resource."""
    return b"8BIM" + struct.pack(">HHI", number, 0, len(body)) + body + b"\0" * (len(body) % 2)


# --- TIFF and BMP ---------------------------------------------------------------------------


def tiff(
    values: np.ndarray,
    *,
    planar: bool = False,
    order: str = "<",
    packed: bool = False,
    strips: int = 1,
    alpha: int = 2,
    more: dict[int, tuple[int, list[int]]] | None = None,
    behind: bytes = b"",
) -> bytes:
    """A TIFF of [H, W, C] values of 8 or 16 bits (revision 6).

    `alpha` is what a fourth channel is called: 1 premultiplied, 2 not. `more` are further tags:
    type (3: 16 bits, 4: 32 bits) and numbers. `behind` is put at offset 8 + the pixels.
    """
    height, width, channels = values.shape
    bits = values.dtype.itemsize * 8
    raw = values.astype(values.dtype.newbyteorder(order))
    tall = -(-height // strips)
    planes = [raw[..., i : i + 1] for i in range(channels)] if planar else [raw]
    pieces = [
        plane[top : top + tall].tobytes() for plane in planes for top in range(0, height, tall)
    ]
    pieces = [zlib.compress(piece) for piece in pieces] if packed else pieces
    places, body = [], b""
    for piece in pieces:
        places.append(8 + len(body))
        body += piece + b"\0" * (len(piece) % 2)
    tags = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [bits] * channels),
        259: (3, [8 if packed else 1]),
        262: (3, [2 if channels >= 3 else 1]),
        273: (4, places),
        277: (3, [channels]),
        278: (4, [tall]),
        279: (4, [len(piece) for piece in pieces]),
        284: (3, [2 if planar else 1]),
    }
    if channels == 4:
        tags[338] = (3, [alpha])
    tags |= more or {}
    body += behind
    start = 8 + len(body)
    heap_at, heap, table = start + 2 + 12 * len(tags) + 4, b"", b""
    for number, (kind, numbers) in sorted(tags.items()):
        values_ = struct.pack(order + {1: "B", 3: "H", 4: "I"}[kind] * len(numbers), *numbers)
        table += struct.pack(order + "HHI", number, kind, len(numbers))
        if len(values_) <= 4:
            table += values_.ljust(4, b"\0")
        else:
            table += struct.pack(order + "I", heap_at + len(heap))
            heap += values_
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", start)
    return head + body + struct.pack(order + "H", len(tags)) + table + bytes(4) + heap


def bmp(image: Image.Image, alpha: int, header: int = 124) -> bytes:
    """A 32-bit BMP with channel masks, as clipboards hold it; `alpha` in every pixel."""
    colours = np.asarray(image.convert("RGB"))[..., ::-1]
    values = np.dstack([colours, np.full(image.size[::-1], alpha)])
    pixels = values.astype(np.uint8)[::-1].tobytes()
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    info = struct.pack("<IiiHHIIiiII", header, *image.size, 1, 32, 3, len(pixels), 2835, 2835, 0, 0)
    info = (info + masks + b"BGRs").ljust(header, b"\0")
    offset = 14 + len(info)
    return b"BM" + struct.pack("<IHHI", offset + len(pixels), 0, 0, offset) + info + pixels


# --- colour profiles (ICC.1:2001) -----------------------------------------------------------

PRIMARIES = {
    "Adobe RGB": ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)),
    "Display P3": ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
    "ProPhoto": ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)),
    "sRGB": ((0.64, 0.33), (0.3, 0.6), (0.15, 0.06)),
}
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_D50 = np.array([0.9642, 1.0, 0.8249])


def _fixed(values) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(float(value) * 65536) for value in values))


def _profile(space: bytes, tags: dict[bytes, bytes], connection: bytes = b"XYZ ") -> bytes:
    head = struct.pack(
        ">4x4sI4s4s4s12x4s", b"none", 0x02400000, b"mntr", space, connection, b"acsp"
    )
    head = head.ljust(68, b"\0") + _fixed(_D50)
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(content))
        body += content.ljust(-(-len(content) // 4) * 4, b"\0")
    made = head.ljust(128, b"\0") + table + body
    return struct.pack(">I", len(made)) + made[4:]


def _description(text: str) -> bytes:
    raw = text.encode() + b"\0"
    return b"desc" + bytes(4) + struct.pack(">I", len(raw)) + raw + bytes(78)


def _curve(gamma: float) -> bytes:
    """One gamma, or sRGB's own curve (0)."""
    if gamma:
        return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
    level = np.linspace(0, 1, 1024)
    light = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    return b"curv" + bytes(4) + struct.pack(">I1024H", 1024, *np.round(light * 65535).astype(int))


def rgb_profile(name: str, gamma: float = 0, description: str = "") -> bytes:
    """A profile of the primaries of `PRIMARIES` (white: D65, adapted)."""
    primaries = PRIMARIES[name]
    white = np.array([0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    matrix = columns * np.linalg.solve(columns, white)
    scale = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white))
    adapted = np.linalg.inv(_BRADFORD) @ scale @ _BRADFORD @ matrix
    tags = {b"desc": _description(description or name), b"wtpt": b"XYZ " + bytes(4) + _fixed(_D50)}
    for letter, column in zip("rgb", adapted.T, strict=True):
        tags[f"{letter}XYZ".encode()] = b"XYZ " + bytes(4) + _fixed(column)
        tags[f"{letter}TRC".encode()] = _curve(gamma)
    return _profile(b"RGB ", tags)


def grey_profile(gamma: float) -> bytes:
    tags = {b"desc": _description("grey"), b"wtpt": b"XYZ " + bytes(4) + _fixed(_D50)}
    return _profile(b"GRAY", tags | {b"kTRC": _curve(gamma)})


def cmyk_profile() -> bytes:
    """Inks whose mixtures are those of simple subtraction, but darker: a table of 16 corners."""
    corners = np.array(np.meshgrid(*[[0, 1]] * 4, indexing="ij")).reshape(4, -1).T
    grey = np.clip(1 - corners[:, :3].mean(1) - 0.9 * corners[:, 3], 0, 1)
    levels = np.stack([np.round(grey * 255), np.full(16, 128), np.full(16, 128)], -1)
    ramp = bytes(range(256))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + _fixed(np.eye(3).ravel())
    table += ramp * 4 + levels.astype(np.uint8).tobytes() + ramp * 3
    tags = {b"desc": _description("inks"), b"wtpt": b"XYZ " + bytes(4) + _fixed(_D50)}
    made = _profile(b"CMYK", tags | {b"A2B0": table, b"A2B1": table}, b"Lab ")
    return made[:12] + b"prtr" + made[16:]


def graph(extra: str = "") -> dict:
    """What ComfyUI runs: node number to node."""
    nodes = {
        "3": {"class_type": "KSampler", "inputs": {"seed": 1, "positive": ["6", 0]}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": PROMPT, "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["4", 1]}},
    }
    if extra:
        nodes["20"] = {"class_type": "LoadImageFromBase64", "inputs": {"image": extra}}
    return nodes


WORKFLOW = {
    "nodes": [{"id": 6, "type": "CLIPTextEncode", "widgets_values": [PROMPT]}],
    "links": [],
    "version": 0.4,
}
BOTH = json.dumps({"prompt": graph(), "workflow": WORKFLOW})
