"""Every sentence that page, model card, report and console share, in English."""

TITLE = "RealityCheck"
TABS = ("Check", "Batch", "About")
INTRO = "Photograph, made by a person, or made by an AI? <strong>Evidence, not proof.</strong>"
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
WHAT_NOW = "What you can do now:"
SCALE = "From {} to {}: {}"
PLACE = "{} of 100 towards AI-made"
NO_CALL_BETWEEN = "{}; between {} and {} it makes no call."
NO_CALL = "No call for this picture: {}"
TOO_HARD = "this picture is too hard."
BASE_RATE = "How common are AI pictures where you look?"
BASE_RATES_SAY = {  # by verdict
    "ai": "If {} pictures are AI-made, about {} of 100 such calls are right.",
    "real": "If {} pictures are AI-made, about {} of 100 such calls are right.",
    "uncertain": "If {} pictures are AI-made, about {} of 100 left open are AI-made.",
}
SHARE_IN_CARD = "Share of AI-made pictures"
OF_THOUSAND = "{} of 1,000"
OF_HUNDRED = "{} of 100"
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
PICTURE = "Picture"
UNNAMED = "picture"  # where a file has no name
ANOTHER = "Check another picture"
CHECKED_HERE = "Checked in this tab"
CLEAR = "Clear the list"
ASK_AGAIN = "Re-save, shrink and cut it, and ask again"
COPIES_ASKED = "{} of {} copies"
REPORT_IS = "The picture, its map and all that is said here, as one HTML file and as JSON."
KEEP_REPORT = "Keep a report"
MAKE_REPORT = "Make the report"
REPORT = "Report"
REPORT_TITLE = "RealityCheck report"
REPORT_MADE = "{}, made {}"
REPORT_FILE = "The file"
REPORT_MODEL = "The model"
WEIGHTS = "SHA-256 of its weights:"
GAVE = "What it gave: {}."
NUMBERS = "All numbers (JSON)"
SHARE = "Share of AI-made pictures where you look"
FLAGGED = "If {} pictures are AI-made, about {:.0f} ({:.0f} to {:.0f}) of 100 called AI-made are."
TRY = "Or try one of these"
GUESS_FIRST = "Guess first"
EXAMPLE = "Example {}: {}"
NO_EXAMPLE = "There is no such example. Reload the page, and try again."
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
OTHER_MAP_SAYS = (  # under that of the other side
    "Coloured where it looks most like a photograph or human-made. It does not outline edits."
)
EXAMINED = "The picture that was examined"
UNCOVER = "Show the map up to here"
OF_ALL = " of 100"  # behind how far the map is shown
MAP = "Map"
FILE_SAYS = "What the file says"
FOUND_IN = "Found in {}."
SAYS_MORE = "What else it says"
THE_FILE = "The file "  # left out at the beginning of a short text
MORE = " (and {} more)"
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
LEAN = "How its parts lean"
DOUBT = "Why you might doubt this"
NEVER_MEASURED = "How often this checkpoint is wrong was never measured."
AGREE = "All that was looked at leans the same way."
DISAGREE = "What was looked at leans different ways: trust the answer less."
UNCLEAR = "Not all that was looked at leans clearly."
WITNESSES = {"transformer": "Transformer", "resnet50": "ResNet-50"}  # members of a committee
WITNESSES_SAY = "What each network says"
WITNESSES_AGREE = "The networks agree."
WITNESSES_DISAGREE = "The networks disagree: trust the answer less."
SEEN_BY = "Map of"
FORGEABLE = "Anybody can write this into a file: take it as a hint."
KEPT_ELSEWHERE = (
    "The file says that Content Credentials are kept on a server elsewhere. They were not fetched: "
    "anybody can name any address."
)

SURVIVAL = "Does the answer survive re-saving?"
CHANGES = "The verdict changes in {} of {}: {}."
UNCHANGED = "The verdict is the same in all {} changed copies."
COPIES = ("Copy", "Towards AI-made, of 100", "Verdict")  # heads of a table
TABLE = "Table"
PERTURBATIONS = {  # what a picture is asked about again as
    "clean": "as it is",
    "q90": "JPEG, quality 90",
    "q70": "JPEG, quality 70",
    "q50": "JPEG, quality 50",
    "half": "half the size",
    "crop": "cut to the middle",
    "screenshot": "like a screenshot",
}
SET_MEANT = " “{}”: pictures {}."
SETS = {  # what the pictures of sets by these names are
    "test": "from sources that training knew",
    "unseen": "from sources that training never saw",
    "full": "uncut, from sources that training never saw",
}

LIMITS = (
    "A verdict is a probability, not proof. Never accuse anyone on its strength alone.",
    "The detector can be wrong, more often on generators and cameras it has never seen.",
    "It says “uncertain” where calling it either way would too often be false.",
    "Re-saved, shrunken, filtered or collaged pictures carry less evidence. Smooth "
    "studio portraits and stock photographs are the usual victims of false alarms.",
    "“Made by a person” includes drawings and edited photographs: it does not mean unedited.",
    "The map shows which regions raised a score. It does not outline manipulated parts.",
    "Somebody who holds the weights, which are public, can turn any answer around by changing a "
    "picture less than the eye sees.",
)
