"""What files say, in files that Pillow writes here."""

import gc
import io
import json

import pytest
from helpers import drawing
from PIL import ExifTags, Image, PngImagePlugin

from realitycheck.images import provenance

PARAMETERS = "a cat\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1"
XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" {} </rdf:RDF>
</x:xmpmeta>"""
TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
AS_ATTRIBUTE = XMP.format('Iptc4xmpExt:DigitalSourceType="' + TYPES + '{}"/>')
AS_ELEMENT = XMP.format(
    "><Iptc4xmpExt:DigitalSourceType>" + TYPES + "{}</Iptc4xmpExt:DigitalSourceType>"
    "</rdf:Description>"
)
AS_RESOURCE = XMP.format(
    '><Iptc4xmpExt:DigitalSourceType rdf:resource="' + TYPES + '{}"/></rdf:Description>'
)


def saved(kind="JPEG", **options) -> bytes:
    buffer = io.BytesIO()
    drawing(96, 80).save(buffer, kind, **options)
    return buffer.getvalue()


def png(**texts) -> bytes:
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_itxt(key, text)
    return saved("PNG", pnginfo=info)


def exif(inner=(), **tags) -> Image.Exif:
    made = Image.Exif()
    for name, value in tags.items():
        made[ExifTags.Base[name]] = value
    made.get_ifd(ExifTags.IFD.Exif).update({ExifTags.Base[k]: v for k, v in inner})
    return made


def user_comment(text: str, encoding="utf-16-be") -> Image.Exif:
    return exif([("UserComment", b"UNICODE\0" + text.encode(encoding))])


@pytest.mark.parametrize("packet", [AS_ATTRIBUTE, AS_ELEMENT, AS_RESOURCE])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_declared_source_type(kind, packet):
    for name, points_to in (("trainedAlgorithmicMedia", "ai"), ("digitalCapture", "camera")):
        text = packet.replace("{}", name)
        if kind == "PNG":
            data = png(**{"XML:com.adobe.xmp": text})
        elif kind == "TIFF":
            data = saved(kind, tiffinfo={700: text.encode()})
        else:
            data = saved(kind, xmp=text.encode())
        (finding,) = provenance.examine(data)
        assert finding.points_to == points_to
        assert name in finding.says
        assert finding.where.startswith("XMP")


@pytest.mark.parametrize(
    ("data", "program"),
    [
        (png(parameters=PARAMETERS), "Stable Diffusion"),
        (saved("JPEG", exif=user_comment(PARAMETERS)), "Stable Diffusion"),
        (saved("JPEG", exif=user_comment(PARAMETERS, "utf-16-le")), "Stable Diffusion"),
        (saved("WEBP", exif=user_comment(PARAMETERS)), "Stable Diffusion"),
        (png(prompt=json.dumps({"3": {"class_type": "KSampler"}})), "ComfyUI"),
        (png(workflow=json.dumps({"nodes": [{"id": 1}]})), "ComfyUI"),
        (saved("WEBP", exif=exif(Make='workflow:{"nodes": []}')), "ComfyUI"),
        (png(invokeai_metadata="{}"), "InvokeAI"),
        (png(Software="NovelAI", Comment='{"steps": 28}'), "NovelAI"),
        (png(fooocus_scheme="fooocus", parameters="{}"), "Fooocus"),
        (
            saved("JPEG", exif=exif([("UserComment", b"ASCII\0\0\0{}")], Software="Fooocus v2")),
            "Fooocus",
        ),
    ],
)
def test_parameters_of_generators(data, program):
    findings = provenance.examine(data)
    assert {finding.points_to for finding in findings} == {"ai"}
    assert program in findings[0].says
    assert "hint" in findings[0].trust


def test_cameras_are_named_without_place_serial_or_owner():
    made = exif(
        [("ExposureTime", 0.01), ("BodySerialNumber", "SERIAL"), ("CameraOwnerName", "OWNER")],
        Make="Canon",
        Model="Canon EOS 5D",
        Artist="OWNER",
    )
    made.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (47.0, 22.0, 11.0)})
    (finding,) = provenance.examine(saved(exif=made))
    assert finding.points_to == "camera"
    assert "Canon EOS 5D, and its exposure" in finding.says
    for private in ("SERIAL", "OWNER", "47"):
        assert private not in json.dumps(finding.report())
    (finding,) = provenance.examine(saved(exif=exif(Make="Acme", Model="One<script>")))
    assert "Acme Onescript, without any exposure" in finding.says


def test_a_camera_is_never_named_without_a_word_of_the_ai():
    made = exif([("UserComment", b"UNICODE\0" + PARAMETERS.encode("utf-16-be"))])
    made[271], made[272] = "Canon", "Canon EOS 5D"
    packet = AS_ATTRIBUTE.replace("{}", "digitalCapture").encode()
    first, *others = provenance.examine(saved(exif=made, xmp=packet))
    assert first.points_to == "ai"
    assert [finding.points_to for finding in others] == ["camera", "camera"]
    for finding in others:
        assert finding.says.endswith("Something else in the file points to an AI.")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_bytes_behind_or_in_the_wrong_container_mean_nothing(kind):
    for marker in (PARAMETERS, AS_ATTRIBUTE.replace("{}", "trainedAlgorithmicMedia"), "c2pa"):
        assert provenance.examine(saved(kind) + marker.encode()) == []
    if kind == "JPEG":
        assert provenance.examine(saved(kind, comment=b"trainedAlgorithmicMedia")) == []


def test_ordinary_texts_are_not_taken_for_parameters():
    assert provenance.examine(png(Comment="Steps: up, then left", Software="GIMP")) == []
    # One pattern for all of it would look at this for minutes.
    assert provenance.examine(png(parameters="Steps: 1, " * 20_000)) == []
    assert provenance.examine(png(prompt="What is it?", workflow="[1, 2]")) == []
    assert provenance.examine(saved(exif=user_comment("holiday"))) == []


@pytest.mark.parametrize(
    "data",
    [
        None,
        b"",
        b"no picture",
        saved(exif=b"Exif\0\0broken"),
        saved(xmp=b"<not closed"),
        saved(xmp=b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'),
        png(prompt="[" * 100_000),
        saved()[:200],
    ],
)
def test_nothing_and_damage_are_no_findings(data):
    assert provenance.examine(data) == []


def test_it_is_reported_and_moves_no_probability(detector):
    plain, marked = detector.predict(png()), detector.predict(png(parameters=PARAMETERS))
    assert plain.probabilities == marked.probabilities
    assert plain.report()["provenance"] == []
    (entry,) = marked.report()["provenance"]
    assert set(entry) == {"says", "where", "points_to", "trust", "generator", "prompt"}


def open_pictures() -> int:
    return sum(type(thing) is PngImagePlugin.PngImageFile for thing in gc.get_objects())


@pytest.mark.parametrize("packet", ["", "<broken", '<!DOCTYPE x [<!ENTITY e "e">]><x/>'])
def test_the_picture_is_let_go(packet):
    data = png(**{"XML:com.adobe.xmp": packet})
    gc.collect()
    gc.disable()
    try:
        before = open_pictures()
        assert provenance.examine(data) == []
        assert open_pictures() == before
    finally:
        gc.enable()
