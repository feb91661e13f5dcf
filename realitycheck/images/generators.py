"""Recognises the settings that picture generators leave in files.

To add a generator: write a function that takes one `Note` (a text with its key and its place, and
its JSON object where it is one) and gives `Settings` or None, and name it in `RECOGNISERS`. The
first that knows a note names it, so what is special stands before what is general. Everything
must be linear in the text: files are written to hurt, too.

Sources: the programs' own documentation and files, named at each function.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from realitycheck.images.iptc import generator_named
from realitycheck.images.text import shown

MOST_CHARACTERS = 8 << 20  # of a note
_MOST_NODES = 5000  # of a graph


@dataclass(frozen=True)
class Settings:
    """What a note says.

    Attributes:
        program: the generator, in words that follow "made with".
        prompt: what it was asked for, as it stands there; "" where that is not known.
        name_alone: the note holds no settings, only the generator's name.
    """

    program: str
    prompt: str = ""
    name_alone: bool = False


@dataclass(frozen=True)
class Note:
    """A text of a file.

    Attributes:
        place: where it stands: "PNG text", "EXIF", "XMP", "JPEG comment", "GIF comment", "IPTC".
        key: its name there.
        text: itself.
        beside: key to text of the notes in the same place.
    """

    place: str
    key: str
    text: str
    beside: dict[str, str] = field(default_factory=dict, repr=False, compare=False, hash=False)

    @cached_property
    def json(self) -> dict[str, Any]:
        """The JSON object that the text is; {} where it is none."""
        return _object(self.text)


Recogniser = Callable[[Note], Settings | None]


def recognise(notes: Iterable[tuple[str, str, str]]) -> Iterator[tuple[Note, Settings]]:
    """Each note that a generator wrote, with what it says.

    Args:
        notes: place, key and text of each.
    """
    places: dict[str, dict[str, str]] = {}
    for place, key, text in notes:
        beside = places.setdefault(place, {})
        if len(text) > len(beside.get(key, "")):
            beside[key] = text[:MOST_CHARACTERS]
    for place, beside in places.items():
        made = []
        for key, text in beside.items():
            note = Note(place, key, text, beside)
            found = next((found for known in RECOGNISERS if (found := known(note))), None)
            made += [(note, found)] if found else []
        # A program's name beside its settings says no more than they do.
        whole = [(note, found) for note, found in made if not found.name_alone]
        yield from whole or made


def _object(text: str) -> dict[str, Any]:
    text = text.strip()
    if not text.startswith("{"):
        return {}
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _text(value: object) -> str:
    """A prompt out of JSON, where it may be a list of parts."""
    if isinstance(value, list):
        if len(value) == 2 and isinstance(value[1], int):
            return ""  # a link to another node of a graph
        value = next((part for part in value if isinstance(part, str | dict)), "")
    if isinstance(value, dict):
        value = next((value[key] for key in ("text", "prompt", "caption") if key in value), "")
    return value if isinstance(value, str) else ""


def _first(settings: dict[str, Any], *keys: str) -> str:
    return next((text for key in keys if (text := _text(settings.get(key)))), "")


# --- ComfyUI and SwarmUI --------------------------------------------------------------------

_PROMPT_INPUTS = ("text", "prompt", "clip_l", "t5xxl", "text_g")
# Where a file has no texts by name, ComfyUI writes "workflow:{...}" into EXIF's Make and Model.
_NAMED = re.compile(r"\s*(prompt|workflow|parameters)\s*:\s*(?=\{)", re.IGNORECASE)


def swarmui(note: Note) -> Settings | None:
    """SwarmUI: JSON with `sui_image_params` (its documentation, "Image Metadata Format")."""
    settings = note.json.get("sui_image_params")
    if isinstance(settings, dict):
        return Settings("SwarmUI", _first(settings, "prompt"))
    if note.text.lstrip().startswith("{") and '"sui_image_params"' in note.text[:2000]:
        return Settings("SwarmUI")
    return None


def comfyui(note: Note) -> Settings | None:
    """ComfyUI: the graph that ran ("prompt") or the one on screen ("workflow"), as JSON."""
    named = _NAMED.match(note.text)
    graph = _object(note.text[named.end() :]) if named else note.json
    if not graph:
        return _damaged_comfyui(note)
    if found := _graph(graph):
        return found
    # Both in one text, each as JSON or as JSON within a string.
    for key in ("prompt", "workflow", "Workflow", "generation_data", "extra_pnginfo", "comfyui"):
        inner = graph.get(key)
        inner = _object(inner) if isinstance(inner, str) else inner
        if not isinstance(inner, dict):
            continue
        nested = inner.get("workflow")
        if found := _graph(inner) or (_graph(nested) if isinstance(nested, dict) else None):
            return found
    if named and named[1].lower() == "workflow" and isinstance(graph.get("nodes"), list):
        return Settings("ComfyUI")
    if note.key.lower() == "workflow" and isinstance(graph.get("nodes"), list):
        return Settings("ComfyUI")
    return None


def _damaged_comfyui(note: Note) -> Settings | None:
    """A graph that is cut or that JSON's rules do not allow."""
    if note.key.lower() not in ("prompt", "workflow") and not _NAMED.match(note.text):
        return None
    start = note.text[: 1 << 20]
    if re.search(r"\"class_type\"\s*:\s*\"", start) or (
        '"last_node_id"' in start and '"nodes"' in start
    ):
        return Settings("ComfyUI")
    return None


def _graph(graph: dict[str, Any]) -> Settings | None:
    nodes = {
        str(number): node
        for number, node in [*graph.items()][:_MOST_NODES]
        if isinstance(node, dict) and "class_type" in node
    }
    if nodes:
        return Settings("ComfyUI", _graph_prompt(nodes))
    shown_nodes = graph.get("nodes")
    if not isinstance(shown_nodes, list):
        return None
    listed = [node for node in shown_nodes[:_MOST_NODES] if isinstance(node, dict)]
    if "links" in graph or "last_node_id" in graph or any("widgets_values" in n for n in listed):
        return Settings("ComfyUI", _widget_prompt(listed))
    return None


def _graph_prompt(nodes: dict[str, Any]) -> str:
    """The text that leads to a sampler's "positive"; else the first text of an encoder."""
    for node in nodes.values():
        inputs = node.get("inputs")
        link = inputs.get("positive") if isinstance(inputs, dict) else None
        if isinstance(link, list) and link and (text := _follow(nodes, str(link[0]))):
            return text
    for node in nodes.values():
        inputs = node.get("inputs")
        encodes = "TextEncode" in str(node["class_type"])
        if encodes and isinstance(inputs, dict) and (text := _first(inputs, *_PROMPT_INPUTS)):
            return text
    return ""


def _follow(nodes: dict[str, Any], number: str) -> str:
    ahead, seen = [number], set[str]()
    while ahead and len(seen) < 50:
        number = ahead.pop(0)
        inputs = nodes.get(number, {}).get("inputs")
        if number in seen or not isinstance(inputs, dict):
            continue
        seen.add(number)
        if text := _first(inputs, *_PROMPT_INPUTS, "value", "string"):
            return text
        linked = (value for value in inputs.values() if isinstance(value, list) and len(value) == 2)
        ahead += [str(value[0]) for value in linked]
    return ""


def _widget_prompt(nodes: list[dict[str, Any]]) -> str:
    for node in nodes:
        values = node.get("widgets_values")
        encodes = "TextEncode" in str(node.get("type"))
        if encodes and isinstance(values, list) and (text := _text(values)):
            return text
    return ""


# --- Stable Diffusion web UIs ---------------------------------------------------------------

_STEPS = re.compile(r"\bSteps: ?\d+, ")
_SETTING = re.compile(r"\b(Sampler|CFG scale|Seed|Guidance Scale): ?")
_VERSION = re.compile(r"\bVersion: ?([^,\n]{1,80})")
_APPS = (
    (re.compile(r"\bApp: ?SD\.Next"), "Stable Diffusion web UI (SD.Next)"),
    (re.compile(r"\bCivitai resources: "), "Stable Diffusion web UI (Civitai)"),
)


def web_ui(note: Note) -> Settings | None:
    """AUTOMATIC1111's web UI, Forge, SD.Next and those that write the same lines.

    The prompt, "Negative prompt: ...", and a line of settings that begins with "Steps: ".
    """
    if note.place == "XMP" and note.beside.get("CreatorTool", "").startswith("Draw Things"):
        return None
    # Two searches: one pattern for both takes minutes on a text that is "Steps: 1, " throughout.
    steps = _STEPS.search(note.text)
    if steps is None or not _SETTING.search(note.text, steps.end()):
        return None
    asked = note.text[: steps.start()].split("\nNegative prompt:")[0].strip()
    tail = note.text[steps.start() : steps.start() + 20_000]
    program = next((name for pattern, name in _APPS if pattern.search(tail)), "")
    if not program:
        version = _VERSION.search(tail)
        forge = version and re.match(r"(?i)f\d|forge|neo|classic", version[1].strip())
        program = f"Stable Diffusion web UI ({'Forge' if forge else 'AUTOMATIC1111 or alike'})"
    return Settings(program, asked)


def draw_things(note: Note) -> Settings | None:
    """Draw Things: JSON with `c` and `uc` in XMP's exif:UserComment, lines in dc:description."""
    named = note.beside.get("CreatorTool", note.beside.get("Software", ""))
    if note.json and {"c", "uc"} <= note.json.keys() and {"seed", "sampler"} & note.json.keys():
        return Settings("Draw Things", _first(note.json, "c"))
    if named.startswith("Draw Things") and (steps := _STEPS.search(note.text)):
        return Settings("Draw Things", note.text[: steps.start()].split("\n-")[0].strip())
    return None


def mochi_diffusion(note: Note) -> Settings | None:
    """Mochi Diffusion: "Include in Image: ...; Generator: Mochi Diffusion" in IPTC's caption."""
    if "Generator: Mochi Diffusion" not in note.text:
        return None
    asked = re.search(r"Include in Image: ([^;\n]{1,2000})", note.text[:20_000])
    return Settings("Mochi Diffusion", asked[1] if asked else "")


def easy_diffusion(note: Note) -> Settings | None:
    """Easy Diffusion: keys of their own in a PNG, the same as one JSON object in EXIF."""
    keys = {key.lower().replace(" ", "_") for key in (*note.beside, *note.json)}
    model = {"use_stable_diffusion_model", "stable_diffusion_model"} & keys
    others = {"num_inference_steps", "guidance_scale", "sampler_name", "seed"} & keys
    if not model or len(others) < 2:
        return None
    if note.json:
        return Settings("Easy Diffusion", _first(note.json, "prompt", "Prompt"))
    if note.key.lower() in ("prompt", "use_stable_diffusion_model"):
        asked = next((text for key, text in note.beside.items() if key.lower() == "prompt"), "")
        return Settings("Easy Diffusion", asked)
    return None


# --- Fooocus and its forks, InvokeAI, NovelAI -----------------------------------------------

_FOOOCUS = re.compile(r"(?i)^\s*((?:ruined|simple)?fooo+cus[\w .-]{0,20}|simplesdxl[\w .-]{0,10})")


def fooocus(note: Note) -> Settings | None:
    """Fooocus, RuinedFooocus, Fooocus-MRE, SimpleSDXL: JSON, or a web UI's lines, with a scheme."""
    scheme = note.beside.get("fooocus_scheme") or note.beside.get("MakerNote", "")
    software = note.beside.get("Software", "")
    if note.key.lower() not in ("parameters", "usercomment", "comment", "fooocus_scheme"):
        return None
    settings = note.json
    named = ""
    for value in (
        *(settings.get(key) for key in ("software", "version", "Version", "metadata_scheme")),
        *(settings.get(key) for key in ("Backend Engine", "created_by")),
        software,
    ):
        if isinstance(value, str) and (match := _FOOOCUS.match(value)):
            named = re.split(r"[\s_]*v?\d", match[1])[0].strip(" .-") or match[1]
            break
    if "base_model_hash" in settings and "adm_guidance" in settings:
        named = named or "Fooocus"
    if scheme.lower() in ("fooocus", "simple") or (scheme and "fooocus_scheme" in note.beside):
        named = named or "Fooocus"
    if not named or (note.key == "fooocus_scheme" and "parameters" in note.beside):
        return None
    lines = web_ui(note)
    asked = _first(settings, "prompt", "Prompt", "real_prompt", "full_prompt")
    program = named if "ooocus" in named.lower() else f"{named} (Fooocus)"
    return Settings(program, asked or (lines.prompt if lines else ""))


_INVOKEAI = ("invokeai_metadata", "invokeai_graph", "invokeai_workflow", "sd-metadata", "dream")


def invokeai(note: Note) -> Settings | None:
    """InvokeAI: `invokeai_metadata`, `invokeai_graph`; earlier `sd-metadata` and `Dream`."""
    key = note.key.lower()
    if key not in _INVOKEAI:
        if note.json.get("app_version") and "positive_prompt" in note.json:
            return Settings("InvokeAI", _first(note.json, "positive_prompt"))
        return None
    if key == "dream":
        asked = re.match(r"\s*\"?([^\"]{1,2000}?)\"?\s+-[sSWHCAU] ?\w", note.text)
        return Settings("InvokeAI", asked[1]) if asked else None
    inner = note.json.get("image")
    earlier = _first(inner, "prompt") if isinstance(inner, dict) else ""
    return Settings("InvokeAI", _first(note.json, "positive_prompt", "prompt") or earlier)


def novelai(note: Note) -> Settings | None:
    """NovelAI: `Software`, `Source` and JSON in `Comment`; in WebP all of it as one JSON."""
    if note.json and str(note.json.get("Software", "")).startswith("NovelAI"):
        inner = note.json.get("Comment")
        inner = _object(inner) if isinstance(inner, str) else inner
        asked = _first(inner, "prompt") if isinstance(inner, dict) else ""
        return Settings("NovelAI", _first(note.json, "Description") or asked)
    if note.key in ("Software", "Source") and note.text.startswith("NovelAI"):
        asked = note.beside.get("Description") or _first(
            _object(note.beside.get("Comment", "")), "prompt"
        )
        return Settings("NovelAI", asked)
    return None


# --- services -------------------------------------------------------------------------------

_JOB = re.compile(
    r"\bJob ID: ?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE
)


def midjourney(note: Note) -> Settings | None:
    """Midjourney: "PROMPT --ar 4:3 Job ID: ..." in the description."""
    job = _JOB.search(note.text[:100_000])
    if job is None:
        return None
    return Settings("Midjourney", re.split(r"\s--?[a-z]", note.text[: job.start()])[0].strip())


def grok(note: Note) -> Settings | None:
    """Grok: "Signature: ..." beside an artist that is a number (xAI's own files of 2025)."""
    artist = note.beside.get("Artist", "")
    signed = note.key in ("ImageDescription", "UserComment") and re.match(
        r"Signature: ?[A-Za-z0-9+/=]{40,}", note.text
    )
    if signed and re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", artist):
        return Settings("Grok")
    return None


def tensor_art(note: Note) -> Settings | None:
    """Tensor.Art: `generation_data`, JSON with `baseModel` or `models`."""
    if note.key != "generation_data" or not ({"models", "baseModel"} & note.json.keys()):
        return None
    return Settings("Tensor.Art", _first(note.json, "prompt"))


def named(note: Note) -> Settings | None:
    """A generator's name where the name of a program is written."""
    if note.key not in ("Software", "CreatorTool", "softwareAgent", "Source", "Program", "Make"):
        return None
    program = generator_named(note.text)
    return Settings(program, name_alone=True) if program else None


RECOGNISERS: tuple[Recogniser, ...] = (
    swarmui,
    novelai,
    fooocus,
    invokeai,
    draw_things,
    easy_diffusion,
    tensor_art,
    comfyui,
    web_ui,
    mochi_diffusion,
    midjourney,
    grok,
    named,
)


def prompt_shown(settings: Settings) -> str:
    """The beginning of a prompt, harmless, or ""."""
    return shown(settings.prompt)
