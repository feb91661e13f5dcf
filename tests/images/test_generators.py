"""Settings that generators leave: each by its name, with a short prompt, wherever they stand."""

import json
import zlib

import pytest
from odd_files import (
    BOTH,
    PROMPT,
    SETTINGS,
    WORKFLOW,
    alternatives,
    chunk,
    exif,
    gif_xmp,
    graph,
    iim,
    jpeg_exif,
    jpeg_xmp,
    png,
    resource,
    saved,
    utf16,
    with_chunks,
    with_segments,
)
from odd_files import xmp as packet

from realitycheck.images import generators, provenance

WEB_UI = PROMPT + SETTINGS
SWARM = json.dumps(
    {"sui_image_params": {"prompt": PROMPT, "model": "drawn", "swarm_version": "0.9.6.0"}}, indent=2
)
DRAW_THINGS = {"c": PROMPT, "uc": "", "sampler": "Euler A", "seed": 1, "steps": 20, "scale": 7}
DRAW_THINGS_TEXT = f"{PROMPT}\n-blurry\nSteps: 20, Sampler: Euler A, Guidance Scale: 7.0, Seed: 1"
EASY = {
    "prompt": PROMPT,
    "seed": "1234",
    "use_stable_diffusion_model": "drawn",
    "sampler_name": "euler_a",
    "num_inference_steps": "20",
    "guidance_scale": "7.5",
}
MIDJOURNEY = f"{PROMPT} --ar 4:3 --v 6.1 Job ID: 01234567-89ab-4cde-8f01-23456789abcd"
FOOOCUS = {
    "adm_guidance": "(1.5, 0.8, 0.3)",
    "base_model": "drawn",
    "base_model_hash": "0123",
    "metadata_scheme": "fooocus",
    "prompt": PROMPT,
    "version": "Fooocus v2.5.5",
}
RUINED = {"Prompt": PROMPT, "Negative": "", "steps": 30, "software": "RuinedFooocus"}
NOVEL = {"prompt": PROMPT, "steps": 28, "sampler": "k_euler", "uc": "blurry"}
MOCHI = f"Include in Image: {PROMPT}; Model: drawn; Steps: 20; Generator: Mochi Diffusion 5"
INVOKE = {"generation_mode": "txt2img", "positive_prompt": PROMPT, "app_version": "5.0.0"}


def comment(text: str) -> bytes:
    """A JPEG whose UserComment holds a text."""
    return jpeg_exif(utf16(text, mark=True))


def blob(text: str) -> bytes:
    return b"Exif\0\0" + exif(utf16(text))


def in_xmp(name: str, text: str, **attributes) -> bytes:
    return jpeg_xmp(packet(alternatives(name, text), **attributes))


def noise(length: int) -> str:
    return "QUJD" * (length // 4)


def iptc_caption(text: str) -> bytes:
    return with_segments((0xED, b"Photoshop 3.0\0" + resource(1028, iim((120, text)))))


def software(text: str) -> bytes:
    return jpeg_exif(t305=text)


KNOWN = {
    "web UI": (png(parameters=WEB_UI), "Stable Diffusion web UI (AUTOMATIC"),
    "web UI, EXIF": (comment(WEB_UI), "Stable Diffusion web UI (AUTOMATIC"),
    "web UI, WebP": (saved("WEBP", exif=blob(WEB_UI)), "Stable Diffusion web UI"),
    "web UI, AVIF": (saved("AVIF", exif=blob(WEB_UI)), "Stable Diffusion web UI"),
    "web UI, GIF comment": (saved("GIF", comment=WEB_UI.encode()), "Stable Diffusion web UI"),
    "web UI, JPEG comment": (saved("JPEG", comment=WEB_UI.encode()), "Stable Diffusion web UI"),
    "web UI, XMP": (in_xmp("dc:description", WEB_UI), "Stable Diffusion web UI"),
    "Forge": (png(parameters=WEB_UI.replace("v1.10.1", "f2.0.1v1.10.1-previous")), "Forge"),
    "SD.Next": (png(parameters=WEB_UI.replace("Version: v1.10.1", "App: SD.Next")), "SD.Next"),
    "Civitai": (comment(WEB_UI + ", Civitai resources: [{}]"), "Civitai"),
    "ComfyUI": (png(prompt=json.dumps(graph())), "ComfyUI"),
    "ComfyUI, workflow": (png(workflow=json.dumps(WORKFLOW)), "ComfyUI"),
    "ComfyUI, large": (png(prompt=json.dumps(graph(noise(3_000_000)))), "ComfyUI"),
    "ComfyUI, packed": (
        with_chunks(chunk(b"zTXt", b"prompt\0\0" + zlib.compress(BOTH.encode()))),
        "ComfyUI",
    ),
    "ComfyUI, behind": (
        with_chunks(chunk(b"tEXt", b"prompt\0" + json.dumps(graph()).encode()), behind=True),
        "ComfyUI",
    ),
    "ComfyUI, not a number": (png(prompt=json.dumps(graph()).replace("20,", "NaN,")), "ComfyUI"),
    "ComfyUI, EXIF": (comment(BOTH), "ComfyUI"),
    "ComfyUI, EXIF ASCII": (jpeg_exif(b"ASCII\0\0\0" + BOTH.encode()), "ComfyUI"),
    "ComfyUI, text in text": (
        comment(json.dumps({"prompt": json.dumps(graph()), "workflow": json.dumps(WORKFLOW)})),
        "ComfyUI",
    ),
    "ComfyUI, Make": (jpeg_exif(t271="workflow:" + json.dumps(WORKFLOW)), "ComfyUI"),
    "ComfyUI, Model": (jpeg_exif(t272="prompt:" + json.dumps(graph())), "ComfyUI"),
    "ComfyUI, description": (jpeg_exif(t270="Workflow:" + json.dumps(WORKFLOW)), "ComfyUI"),
    "ComfyUI, XMP": (in_xmp("dc:description", BOTH), "ComfyUI"),
    "ComfyUI, XMP comment": (in_xmp("exif:UserComment", json.dumps(graph())), "ComfyUI"),
    "SwarmUI": (png(parameters=SWARM), "SwarmUI"),
    "SwarmUI, EXIF": (comment(SWARM), "SwarmUI"),
    "SwarmUI, GIF": (gif_xmp(packet(alternatives("exif:UserComment", SWARM))), "SwarmUI"),
    "InvokeAI": (png(invokeai_metadata=json.dumps(INVOKE)), "InvokeAI"),
    "InvokeAI 2": (png(**{"sd-metadata": json.dumps({"image": {"prompt": PROMPT}})}), "InvokeAI"),
    "InvokeAI 1": (png(Dream=f'"{PROMPT}" -s50 -S1234 -W512'), "InvokeAI"),
    "NovelAI": (
        png(Software="NovelAI", Description=PROMPT, Comment=json.dumps(NOVEL)),
        "NovelAI",
    ),
    "NovelAI, WebP": (
        comment(json.dumps({"Software": "NovelAI", "Comment": json.dumps(NOVEL)})),
        "NovelAI",
    ),
    "Fooocus": (png(fooocus_scheme="fooocus", parameters=json.dumps(FOOOCUS)), "Fooocus"),
    "Fooocus, lines": (png(fooocus_scheme="a1111", parameters=WEB_UI), "Fooocus"),
    "Fooocus, EXIF": (comment(json.dumps(FOOOCUS)), "Fooocus"),
    "RuinedFooocus": (png(parameters=json.dumps(RUINED)), "RuinedFooocus"),
    "Fooocus-MRE": (
        png(Comment=json.dumps({"prompt": PROMPT, "software": "Fooocus-MRE v2.0.78"})),
        "Fooocus-MRE",
    ),
    "SimpleSDXL": (
        png(
            fooocus_scheme="simple",
            parameters=json.dumps({"Prompt": PROMPT, "version": "SimpleSDXL2_1.0"}),
        ),
        "SimpleSDXL",
    ),
    "Draw Things": (
        in_xmp("exif:UserComment", json.dumps(DRAW_THINGS), xmp__CreatorTool="Draw Things"),
        "Draw Things",
    ),
    "Draw Things, text": (
        in_xmp("dc:description", DRAW_THINGS_TEXT, xmp__CreatorTool="Draw Things"),
        "Draw Things",
    ),
    "Draw Things, EXIF": (comment(json.dumps(DRAW_THINGS)), "Draw Things"),
    "Easy Diffusion": (png(**EASY), "Easy Diffusion"),
    "Easy Diffusion, EXIF": (comment(json.dumps(EASY)), "Easy Diffusion"),
    "Midjourney": (png(Description=MIDJOURNEY), "Midjourney"),
    "Midjourney, EXIF": (jpeg_exif(t270=MIDJOURNEY), "Midjourney"),
    "Midjourney, XMP": (in_xmp("dc:description", MIDJOURNEY), "Midjourney"),
    "Midjourney, IPTC": (iptc_caption(MIDJOURNEY), "Midjourney"),
    "Mochi Diffusion": (iptc_caption(MOCHI), "Mochi Diffusion"),
    "Tensor.Art": (
        png(generation_data=json.dumps({"prompt": PROMPT, "baseModel": {}})),
        "Tensor.Art",
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_generators_are_named_with_their_prompt(name):
    data, program = KNOWN[name]
    findings = provenance.examine(data)
    assert [finding.points_to for finding in findings] == ["ai"]
    assert findings[0].generator.startswith(program) or program in findings[0].generator
    assert findings[0].generator in findings[0].says
    assert findings[0].prompt == PROMPT
    assert PROMPT in findings[0].says


@pytest.mark.parametrize(
    ("data", "program"),
    [
        (software("Midjourney 6"), "Midjourney"),
        (software("Adobe Firefly"), "Adobe Firefly"),
        (software("ComfyUI v0.3"), "ComfyUI"),
        (jpeg_xmp(packet(xmp__CreatorTool="DALL·E 3")), "DALL·E"),
        (jpeg_xmp(packet(xmp__CreatorTool="Google Imagen")), "Google Imagen"),
        (png(Software="DiffusionBee"), "DiffusionBee"),
    ],
)
def test_generators_that_leave_their_name_alone(data, program):
    (finding,) = provenance.examine(data)
    assert finding.points_to == "ai"
    assert finding.generator == program


def test_grok_signs_and_numbers():
    made = {"t270": "Signature: " + "A" * 80, "t315": "01234567-89ab-4cde-8f01-23456789abcd"}
    assert provenance.examine(jpeg_exif(**made))[0].generator == "Grok"
    assert provenance.examine(jpeg_exif(t270=made["t270"], t315="J. Doe")) == []


@pytest.mark.parametrize(
    "data",
    [
        png(Description="Steps: up, then left. Sampler of fabrics; seed: wheat"),
        png(Comment='{"prompt": "What do you see?"}'),
        png(prompt="What is it?", workflow="[1, 2]"),
        png(Dream="I had a dream - so strange"),
        png(workflow='{"steps": ["scan", "crop"]}', prompt='{"a": 1}'),
        png(prompt="C:\\>", seed="12", model="EOS"),
        png(Software="GIMP 2.10", Comment="Created with GIMP"),
        png(Title="NovelAI in the news", Description="A story about Midjourney and DALL·E"),
        png(parameters='{"exposure": 1}', Description="Job ID: 12345"),
        png(Description="Job ID: 01234567"),
        software("Adobe Photoshop 25.0 (Windows)"),
        software("Stable 2.0"),
        software("Imagen Manager"),
        comment("holiday in Fooocus-les-Bains"),
        comment("a picture of my cat"),
        comment('{"c": 1, "uc": 2}'),
        comment("{" * 5000),
        saved("JPEG", comment=b"Steps: 12 eggs, Sampler box"),
        in_xmp("dc:description", "The prompt: {be on time}"),
        jpeg_exif(t271="Canon", t272="x"),
    ],
)
def test_ordinary_texts_are_no_settings(data):
    assert not [one for one in provenance.examine(data) if one.points_to == "ai"]


def test_long_prompts_are_shown_short_and_harmless():
    evil = "<script>alert(1)</script> [x](http://evil.example) \x1b[31m‮ `rm` \n\n= " + "word " * 500
    (finding,) = provenance.examine(png(parameters=evil + SETTINGS))
    assert len(finding.prompt) <= 121
    assert len(finding.says) < 300
    for bad in ("<", ">", "[", "]", "`", "\x1b", "\n", "‮", "://"):
        assert bad not in finding.says
    assert all(len(value) <= 500 for value in finding.report().values())


def test_a_name_beside_settings_is_not_said_twice():
    data = png(Software="AUTOMATIC1111", parameters=PROMPT + SETTINGS)
    (finding,) = provenance.examine(data)
    assert finding.prompt == PROMPT
    (finding,) = provenance.examine(png(Software="AUTOMATIC1111"))
    assert "made with the generator AUTOMATIC1111" in finding.says


def test_one_finding_for_a_program_that_writes_the_same_twice():
    both = png(prompt=json.dumps(graph()), workflow=json.dumps(WORKFLOW))
    (finding,) = provenance.examine(both)
    assert finding.prompt == PROMPT


def test_the_prompt_is_that_which_the_sampler_was_given():
    nodes = {
        "1": {"class_type": "CLIPTextEncode", "inputs": {"text": "negative", "clip": ["4", 0]}},
        "2": {"class_type": "KSampler", "inputs": {"positive": ["3", 0], "negative": ["1", 0]}},
        "3": {"class_type": "ControlNetApply", "inputs": {"conditioning": ["5", 0]}},
        "5": {"class_type": "CLIPTextEncode", "inputs": {"text": ["6", 0]}},
        "6": {"class_type": "String", "inputs": {"value": PROMPT}},
    }
    (finding,) = provenance.examine(png(prompt=json.dumps(nodes)))
    assert finding.prompt == PROMPT
    nodes["5"]["inputs"]["text"] = ["3", 0]  # a circle
    (finding,) = provenance.examine(png(prompt=json.dumps(nodes)))
    assert finding.generator == "ComfyUI"


def test_a_graph_that_is_cut_is_known_still():
    cut = json.dumps(graph(noise(100_000)))[:-50]
    (finding,) = provenance.examine(png(prompt=cut))
    assert finding.generator == "ComfyUI"


def test_every_recogniser_bears_odd_json():
    odd = [{"prompt": value} for value in (None, 1, [], [1], {}, {"a": None}, [{"x": 1}], True)]
    odd += [{"sui_image_params": value} for value in (None, [], {"prompt": 3})]
    odd += [{"1": {"class_type": None, "inputs": None}}, {"nodes": [None, 1, {"type": 3}]}]
    odd += [{"2": {"class_type": "KSampler", "inputs": {"positive": [[], {}]}}}]
    odd += [{"nodes": [], "links": None}, {"image": "x"}, {"Software": None, "Comment": 3}]
    for value in odd:
        for key in ("prompt", "workflow", "parameters", "Comment", "sd-metadata", "UserComment"):
            note = generators.Note("PNG text", key, json.dumps(value), {key: json.dumps(value)})
            for recogniser in generators.RECOGNISERS:
                recogniser(note)
