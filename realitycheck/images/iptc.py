"""IPTC's words and fields about origin: digital source types, AI fields of 2025.1, credit lines.

Sources: https://cv.iptc.org/newscodes/digitalsourcetype/ (retired terms too), IPTC Photo Metadata
Standard 2025.1, IPTC-IIM 4.2, C2PA 2.2 (its two own terms).
"""

import re
import struct
from collections.abc import Iterator

from realitycheck.images.text import decoded, name

# Term: what it points to, and words for it behind "declares".
SOURCE_TYPES = {
    "trainedAlgorithmicMedia": ("ai", "that it was made by a generative AI"),
    "compositeWithTrainedAlgorithmicMedia": ("ai", "parts made by a generative AI"),
    "compositeSynthetic": ("ai", "parts that are synthetic, at least one by a generative AI"),
    "trainedAlgorithmicData": ("ai", "data made by a generative AI"),
    "algorithmicMedia": ("edited", "that it was made by an algorithm without sampled data"),
    "virtualRecording": (
        "edited",
        "a recording of a virtual event, of captured or generated elements",
    ),
    "dataDrivenMedia": ("edited", "that it was drawn from data (data-driven)"),
    "composite": ("edited", "a composite of several elements"),
    "digitalCapture": ("camera", "that a digital camera captured it"),
    "computationalCapture": ("camera", "that a camera captured it, with computation"),
    "compositeCapture": ("camera", "several camera captures put together"),
    "negativeFilm": ("camera", "a scan of a film negative"),
    "positiveFilm": ("camera", "a scan of a film positive"),
    "print": ("camera", "a scan of a print"),
    "screenCapture": ("edited", "a capture of a screen"),
    "algorithmicallyEnhanced": ("edited", "that an algorithm enhanced it"),
    "humanEdits": ("edited", "that a person edited it"),
    "minorHumanEdits": ("edited", "that a person edited it slightly"),
    "digitalCreation": ("edited", "that a person made it with software"),
    "digitalArt": ("edited", "that a person made it with software (digital art)"),
    "softwareImage": ("edited", "that it was made with software"),
    "empty": ("edited", "that it began as an empty canvas"),
}
_BY_WORD = {re.sub(r"\W", "", term).lower(): term for term in SOURCE_TYPES}
_BY_WORD |= {  # the names of the terms, which some programs write in place of the terms
    "createdusinggenerativeai": "trainedAlgorithmicMedia",
    "editedusinggenerativeai": "compositeWithTrainedAlgorithmicMedia",
    "editedwithgenerativeai": "compositeWithTrainedAlgorithmicMedia",
    "compositewithgenerativeai": "compositeSynthetic",
    "compositeincludinggenerativeaielements": "compositeSynthetic",
}


def source_type(value: str) -> str:
    """The vocabulary's term of a value; for one that it lacks, its last part made harmless.

    Args:
        value: an address, a short form ("digsrctype:trainedAlgorithmicMedia"), or the bare term.
    """
    last = re.split(r"[/#:]", value[:300].strip().rstrip("/"))[-1]
    return _BY_WORD.get(re.sub(r"[\W_]", "", last).lower()) or name(last)


def declared(value: str) -> tuple[str, str, str]:
    """Term, direction and words of a source type; of an unknown one, that it is unknown."""
    term = source_type(value)
    points_to, words = SOURCE_TYPES.get(term, ("edited", "a source type that is not known here"))
    return term, points_to, words


# --- credit lines ---------------------------------------------------------------------------

# What may follow "AI" in a sentence about a machine. A name would be none of these.
_BEHIND = (
    r"(?=\s*(?:$|[.,;:!?)\]}/|&+–—-]|\b(?:by|for|in|on|from|at|and|with|using|via|tools?|models?|"
    r"systems?|software|technolog\w+|image|images|picture|art|artwork|generat\w+|assist\w*|"
    r"programs?|services?|platforms?|algorithms?|apps?)\b))"
)
_MADE = (
    r"(?:made|created|generated|produced|edited|imagined|enhanced|drawn|designed|rendered|built)"
)
_AI_LINE = re.compile(
    rf"\b(?i:{_MADE})\s+(?i:by|with|using|through|via|in)\s+(?:an?\s+)?"
    rf"(?:[\w.']+\s+){{0,2}}?(?:AI|ai|A\.I\.|(?i:artificial\s+intelligence)){_BEHIND}"
    rf"|\b(?i:ai|a\.i\.|artificial\s+intelligence)[\s-](?i:generated)\b"
    rf"|\b(?:AI|ai|A\.I\.)-(?i:made|created|assisted|edited|enhanced|produced|rendered)\b"
    rf"|\b(?i:generat(?:ive|or|ed)\s+(?:AI|artificial\s+intelligence))\b"
    rf"|\bAI\s+(?i:generator|image\s+generator|art\b|artwork|image\b|illustration|creation)"
    rf"|\b(?i:KI|künstlicher\s+Intelligenz)[\s-](?i:generiert\w*|erzeugt\w*|erstellt\w*)\b"
    rf"|\b(?i:mit|durch|von)\s+(?:KI|(?i:künstlicher\s+intelligenz))\s+"
    rf"(?i:generiert|erzeugt|erstellt|gemacht)\b"
    rf"|\b(?i:g[ée]n[ée]r[ée]e?|cr[ée][ée]e?|r[ée]alis[ée]e?|imagen|generad[oa]|cread[oa]|hech[oa]|"
    rf"generat[oa]|creat[oa]|gerad[oa]|criad[oa])\s+(?i:par|avec|con|por|com|da|mediante)\s+"
    rf"(?:une?\s+|l['’]|la\s+|a\s+)?(?:IA\b|(?i:intelligence\s+artificielle|inteligencia\s+artificial"
    rf"|intelligenza\s+artificiale|inteligência\s+artificial))"
    rf"|AI\s?(?:生成|作成|绘制|繪製)|人工智[能慧]生成|AIで(?:生成|作成)"
)
_NOT = re.compile(
    r"(?i)\b(?:not?|non|never|without|isn['’]?t|wasn['’]?t|aren['’]?t|zero|free\s+of|kein\w*|nicht|"
    r"ohne|sans|pas|sin)\W+(?:\w+\W+){0,3}$"
)
# Names of generators that mean nothing else in a credit line or as a program's name.
_GENERATORS = (
    ("Midjourney", r"(?i:\bmid ?journey\b)"),
    ("DALL·E", r"\bDALL[·•.\- ]?E\b|(?i:\bdall[·•-]e\b)"),
    ("Adobe Firefly", r"(?i:\badobe firefly\b)|^Firefly(?: image\b| \d|$)"),
    ("Stable Diffusion", r"(?i:\bstable[ -]?diffusion\b)"),
    ("Google Imagen", r"(?i:\bgoogle imagen\b|\bimagen ?[2-9]\b)"),
    (
        "Google Gemini",
        r"(?i:\bgoogle gemini\b|\bgemini (?:\d\.\d|flash|pro)\b|\bnano banana\b)",
    ),
    ("Google Generative AI", r"(?i:\bgoogle generative ai\b)"),
    ("Google AI", r"\bGoogle AI\b"),
    ("ChatGPT", r"(?i:\bchatgpt\b|\bgpt-4o\b|\bgpt-image\b)"),
    ("OpenAI", r"(?i:\bopenai\b)"),
    ("Bing Image Creator", r"(?i:\bbing image creator\b|\bimage creator from\b)"),
    ("Microsoft Designer", r"(?i:\bmicrosoft designer\b)"),
    ("Meta AI", r"\bMeta AI\b|(?i:\bimagined with ai\b)"),
    ("Apple Image Playground", r"(?i:\bimage playground\b)"),
    ("Ideogram", r"(?i:\bideogram(?: ai|\.ai)\b)|^Ideogram\b"),
    ("Leonardo.Ai", r"(?i:\bleonardo[. ]ai\b)"),
    ("NightCafe", r"(?i:\bnightcafe\b)"),
    ("Craiyon", r"(?i:\bcraiyon\b)"),
    ("DreamStudio", r"(?i:\bdreamstudio\b|\bstability ai\b|\bstability\.ai\b)"),
    ("FLUX", r"\bFLUX\.?[12]\b|(?i:\bblack forest labs\b)"),
    ("Grok", r"(?i:\bgrok (?:imagine|[2-9])\b|\bxai grok\b|\bx\.ai\b)"),
    ("Draw Things", r"(?i:^draw things\b)"),
    ("Mochi Diffusion", r"(?i:\bmochi diffusion\b)"),
    ("DiffusionBee", r"(?i:\bdiffusion ?bee\b)"),
    ("ComfyUI", r"(?i:\bcomfyui\b)"),
    ("InvokeAI", r"(?i:\binvoke ?ai\b)"),
    ("SwarmUI", r"(?i:\b(?:stable)?swarmui\b)"),
    ("Fooocus", r"(?i:\b\w{0,12}fooo+cus\b)"),
    ("NovelAI", r"(?i:\bnovelai\b)"),
    ("Easy Diffusion", r"(?i:\beasy diffusion\b)"),
    ("AUTOMATIC1111", r"(?i:\bautomatic1111\b)"),
    ("Recraft", r"(?i:\brecraft(?: ai|\.ai)\b)"),
    ("Seedream", r"(?i:\bseedream\b)"),
    ("PixAI", r"\bPixAI\b"),
    ("Tensor.Art", r"(?i:\btensor\.art\b)"),
)
_GENERATOR = [(program, re.compile(pattern)) for program, pattern in _GENERATORS]


def generator_named(line: str) -> str:
    """The generator that a program's name or a credit line names, or ""."""
    line = line[:300]
    for program, pattern in _GENERATOR:
        if (match := pattern.search(line)) and not _NOT.search(line[: match.start()]):
            return program
    return ""


def says_ai(line: str) -> bool:
    """Whether a credit line says that an AI made or changed the picture. A name says nothing."""
    line = " ".join(line[:300].split())
    if generator_named(line):
        return True
    return any(not _NOT.search(line[: match.start()]) for match in _AI_LINE.finditer(line))


# --- IPTC-IIM -------------------------------------------------------------------------------

_IIM = {40: "Instructions", 65: "Program", 80: "Byline", 110: "Credit", 115: "Source"}
_IIM |= {120: "Caption"}
CREDITS = ("Credit", "Source", "Byline")  # fields that say who or what made a picture


def records(data: bytes) -> Iterator[tuple[str, str]]:
    """Name and text of the fields of an IPTC-IIM record that say something about origin."""
    at, utf_8 = data.find(b"\x1c"), False
    for _ in range(1000):
        if at < 0 or data[at : at + 1] != b"\x1c" or at + 5 > len(data):
            return
        record, number = data[at + 1], data[at + 2]
        (size,) = struct.unpack_from(">H", data, at + 3)
        if size > 0x7FFF:  # an extended field; none of those looked for is that long
            return
        body = data[at + 5 : at + 5 + size]
        if (record, number) == (1, 90):
            utf_8 = body == b"\x1b%G"
        elif record == 2 and number in _IIM:
            yield _IIM[number], body.decode("utf-8", "replace") if utf_8 else decoded(body)
        at += 5 + size
