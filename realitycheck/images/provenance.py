"""What a file itself says about its origin: evidence beside the pixels, never mixed with them.

Metadata is easily removed and easily forged, so nothing here moves a probability, and finding
nothing proves nothing. Only the containers that a format's standard names are read (by Pillow,
and by c2pa where installed): bytes appended to a file mean nothing. Position, serial numbers and
names of people are not read.
"""

import importlib.util
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from defusedxml import DefusedXmlException, ElementTree
from PIL import ExifTags, Image

from realitycheck.images import credentials
from realitycheck.images.reading import FORMATS, READ_ERRORS
from realitycheck.wording import FORGEABLE

# IPTC's vocabulary of digital source types, https://cv.iptc.org/newscodes/digitalsourcetype/
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_RESOURCE = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}resource"
_SOURCE_TYPES = {
    "trainedAlgorithmicMedia": ("ai", "declares that it was made by a generative AI"),
    "compositeWithTrainedAlgorithmicMedia": ("ai", "declares parts made by a generative AI"),
    "compositeSynthetic": ("ai", "declares parts that are synthetic"),
    "algorithmicMedia": ("edited", "declares that it was made by an algorithm"),
    "digitalCapture": ("camera", "declares that a digital camera captured it"),
    "computationalCapture": ("camera", "declares that a camera captured it, with computation"),
    "compositeCapture": ("camera", "declares several camera captures put together"),
    "negativeFilm": ("camera", "declares a scan of a film negative"),
    "positiveFilm": ("camera", "declares a scan of a film positive"),
    "print": ("camera", "declares a scan of a print"),
    "screenCapture": ("edited", "declares a capture of a screen"),
    "algorithmicallyEnhanced": ("edited", "declares that an algorithm enhanced it"),
    "humanEdits": ("edited", "declares that a person edited it"),
    "digitalCreation": ("edited", "declares that a person made it with software"),
}
_XMP_TAG = 700  # of TIFF
_COMFY = re.compile(r"(prompt|workflow):\s*\{", re.IGNORECASE)
_STEPS = re.compile(r"\bSteps: \d+, ")
_SETTING = re.compile(r"\b(Sampler|CFG scale|Seed): ")
_MOST = 200_000  # characters of a text that are looked at


@dataclass(frozen=True)
class Finding:
    """One thing a file says.

    Attributes:
        says: in plain words.
        where: the container it was found in.
        points_to: "ai", "camera" or "edited".
        trust: how far it can be trusted, in a sentence.
    """

    says: str
    where: str
    points_to: str
    trust: str = FORGEABLE

    def report(self) -> dict[str, str]:
        """JSON-ready."""
        return asdict(self)


def examine(data: bytes | None) -> list[Finding]:
    """Reads what a picture file says about its origin.

    Args:
        data: the file's bytes as they came; None where only pixels are known.

    Returns:
        What was found, AI markers first. Never raises: damaged metadata is no finding.
    """
    if data is None:
        return []
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            found = [*_declared(data, image), *_all(image)]
    except READ_ERRORS:
        return []
    order = ("ai", "camera", "edited")
    return sorted(dict.fromkeys(found), key=lambda finding: order.index(finding.points_to))


def reads_credentials() -> bool:
    """Whether Content Credentials (C2PA) are looked for: it takes an optional package."""
    return importlib.util.find_spec("c2pa") is not None


def _all(image: Image.Image) -> Iterator[Finding]:
    yield from _xmp(image)
    texts = _png_texts(image)
    yield from _generators(texts, "PNG text")
    tags = _exif(image)
    yield from _generators(tags, "EXIF")
    yield from _camera(tags)


def _known(source_types: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Last part, direction and words of each source type that the vocabulary above holds."""
    for value in source_types:
        kind = value.rstrip("/").rsplit("/", 1)[-1]
        if kind in _SOURCE_TYPES:
            yield kind, *_SOURCE_TYPES[kind]


# --- Content Credentials --------------------------------------------------------------------


def _declared(data: bytes, image: Image.Image) -> Iterator[Finding]:
    found = credentials.read(data, image.format or "")
    if found is None:
        return
    broken = found.state == credentials.BROKEN
    name = "broken Content Credentials" if broken else "Content Credentials"
    name += " of an earlier version" if found.earlier else ""
    name += f" written by {found.generator}" if found.generator else ""
    declared = [
        (f"The file, in {name}, {words} ({kind}).", points_to)
        for kind, points_to, words in _known(found.source_types)
    ]
    silent = [(f"The file carries {name}; they declare no origin that is known here.", "edited")]
    for says, points_to in declared or silent:
        # A broken declaration is evidence of a change alone.
        yield Finding(says, "C2PA manifest", "edited" if broken else points_to, found.trust)


# --- XMP ------------------------------------------------------------------------------------


def _xmp(image: Image.Image) -> Iterator[Finding]:
    for kind, points_to, words in _known(_source_types(_xmp_packet(image))):
        yield Finding(f"The file {words} ({kind}).", "XMP, IPTC DigitalSourceType", points_to)


def _xmp_packet(image: Image.Image) -> bytes:
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if packet is None and image.format == "TIFF":
        packet = image.tag_v2.get(_XMP_TAG)
    if isinstance(packet, str):
        return packet.encode()
    return packet if isinstance(packet, bytes) else b""


def _source_types(packet: bytes) -> list[str]:
    try:
        root = ElementTree.fromstring(packet.strip(b"\0 \r\n\t"), forbid_dtd=True)
    except (ElementTree.ParseError, DefusedXmlException, ValueError) as error:
        # It and the parser's frame hold each other, and through that our callers' pixels.
        error.__traceback__ = None
        return []
    name = f"{{{_IPTC}}}DigitalSourceType"
    values = [element.get(name) for element in root.iter()]
    for element in root.iter(name):
        values += [element.get(_RESOURCE), element.text]
    return [value.strip() for value in values if value and value.strip()]


# --- parameters that generators write -------------------------------------------------------


def _png_texts(image: Image.Image) -> dict[str, str]:
    if image.format != "PNG":
        return {}
    image.load()  # texts may stand behind the pixels
    return {key: str(value)[:_MOST] for key, value in image.text.items()}


def _generators(texts: dict[str, str], where: str) -> Iterator[Finding]:
    """Stable Diffusion web UI, ComfyUI, InvokeAI, NovelAI and Fooocus, by what each writes."""

    def finding(program: str, key: str) -> Finding:
        return Finding(
            f"The file holds the settings of a picture made with {program}.",
            f'{where}, "{key}"',
            "ai",
        )

    fooocus = "fooocus_scheme" in texts or texts.get("Software", "").startswith("Fooocus")
    for key, text in texts.items():
        if key in ("parameters", "UserComment", "Comment", "ImageDescription"):
            if fooocus and key in ("parameters", "UserComment"):
                yield finding("Fooocus", key)
            elif _is_web_ui(text):
                yield finding("a Stable Diffusion web UI", key)
        if key in ("prompt", "workflow") and _is_comfy(text):
            yield finding("ComfyUI", key)
        if where == "EXIF" and _COMFY.match(text):
            yield finding("ComfyUI", key)
        if key in ("invokeai_metadata", "invokeai_graph", "sd-metadata", "Dream"):
            yield finding("InvokeAI", key)
        if key in ("Software", "Source") and text.startswith("NovelAI"):
            yield finding("NovelAI", key)


def _is_web_ui(text: str) -> bool:
    # Two searches: one pattern for both takes minutes on a text that says "Steps: 1, " throughout.
    steps = _STEPS.search(text)
    return steps is not None and _SETTING.search(text, steps.end()) is not None


def _is_comfy(text: str) -> bool:
    try:
        graph = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(graph, dict):
        return False
    by_number = any(isinstance(node, dict) and "class_type" in node for node in graph.values())
    return by_number or isinstance(graph.get("nodes"), list)


# --- EXIF -----------------------------------------------------------------------------------


def _exif(image: Image.Image) -> dict[str, str]:
    """The few EXIF tags that are looked at, by name, as text."""
    try:
        exif = image.getexif()
        inner = exif.get_ifd(ExifTags.IFD.Exif)
    except READ_ERRORS:
        return {}
    found: dict[str, Any] = {
        name: exif.get(ExifTags.Base[name])
        for name in ("Make", "Model", "Software", "ImageDescription")
    }
    found |= {
        name: inner.get(ExifTags.Base[name])
        for name in ("UserComment", "ExposureTime", "FNumber", "ISOSpeedRatings")
    }
    return {name: _text(value)[:_MOST] for name, value in found.items() if value not in (None, "")}


def _text(value: Any) -> str:
    if not isinstance(value, bytes):
        return str(value).strip("\0 ")
    # A user comment starts with eight bytes that name its encoding (EXIF 2.32, tag 37510).
    kind, rest = value[:8].rstrip(b"\0 "), value[8:]
    if kind == b"UNICODE":
        little = rest[:2] == b"\xff\xfe" or rest[1:2] == b"\0"
        return rest.decode("utf-16-le" if little else "utf-16-be", "replace").strip("\ufeff\0 ")
    return (rest if kind in (b"ASCII", b"") else value).decode("utf-8", "replace").strip("\0 ")


def _camera(tags: dict[str, str]) -> Iterator[Finding]:
    names = [tags.get(key, "") for key in ("Make", "Model")]
    if not all(names) or any(_COMFY.match(name) for name in names):
        return
    make, model = (re.sub(r"[^\w .+/()-]", "", name)[:40] for name in names)
    camera = model if model.lower().startswith(make.lower()) else f"{make} {model}"
    exposed = {"ExposureTime", "FNumber", "ISOSpeedRatings"} & tags.keys()
    words = f"The file names a camera, {camera}"
    words += ", and its exposure." if exposed else ", without any exposure."
    yield Finding(words, "EXIF", "camera")


def summary(findings: list[Finding]) -> str:
    """What a file says about its origin, short enough for a table; "" where it says nothing."""
    if not findings:
        return ""
    first, *others = findings
    said = first.says.removeprefix("The file ")
    return said[:1].upper() + said[1:200] + (f" (and {len(others)} more)" if others else "")
