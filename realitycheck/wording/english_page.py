"""What the page says beside an answer, in English: many pictures, feedback, the model."""

CHIPS = {  # of many pictures, in the order of the filters
    "all": "All",
    "ai": "AI",
    "uncertain": "Uncertain",
    "real": "Photograph",
    "unread": "Unreadable",
    "said": "File says AI",
}
COUNTED = {  # the same behind a number
    "ai": "AI",
    "uncertain": "uncertain",
    "real": "photograph",
    "unread": "unreadable",
    "said": "file says AI",
}
MANY = {  # the tab for many pictures
    "drop": "Drop up to {} pictures or folders here, or choose pictures",
    "begins": "Checking starts at once, and the most suspicious stand first. Pictures and answers "
    "stay on this server for an hour at most.",
    "more": "Add more pictures",
    "checked": "Pictures checked",
    "show": "Show",
    "download": "Download all (zip)",
    "anew": "Start over",
    "grid": "Pictures, the most suspicious first. Arrow keys move, Enter opens.",
    "none": "No picture here is of this kind.",
    "before": "Picture before",
    "next": "Next picture",
    "close": "Close",
    "again": "Check this picture again",
}
WORDS = {  # that batch.js fills in
    "progress": "{done} of {all} checked",
    "finished": "{all} checked: {counts}.",
    "waiting": "The server is busy. Your pictures go on by themselves.",
    "offline": "No connection. Trying again.",
    "most": "{most} pictures at most: {left} were left out.",
    "shown": "{count} shown: {name}.",
    "place": "{at} of {all}",
    "lost": "The picture could not be sent. Look at your connection, and check it again.",
    "opening": "Opening the answer …",
    "unopened": "The answer could not be opened. Check the connection and try again.",
    "packing": "Packing {done} of {of} …",
    "packed": "Packed. If the download does not start: ",
    "save": "save {name} ({size} MB)",
    "missing": " {missing} answers are no longer on the server and are not in it.",
    "unpacked": "The files could not be packed. Check the connection and try again.",
}

FEEDBACK = {
    "open": "This is wrong?",
    "question": "What is the picture, truly?",
    "real": "A photograph, or made by a person",
    "ai": "Made by an AI",
    "unsure": "I cannot say",
    "consent": "What you agree to",
    "to_everybody": "Send my answer, for everybody to see",
    "to_owner": "Send my answer, for whoever runs this page to see",
    "picture": "Send the picture too, if I know what it is: nobody in it or behind it would mind",
    "send": "Send",
    "what": "Sent are your answer, the detector's, today's date and the file's fingerprint "
    "(SHA-256); nothing about you. A picture loses its place, time, device and all other notes "
    "first.",
    "public": "Everybody can see the dataset {link}.",
    "private": "It goes to the dataset {name}, which is private.",
    "unknown": "It goes to the dataset {name}: count on everybody seeing it.",
    "delete_everybody": "To have it deleted, name the fingerprint in a discussion there.",
    "delete_owner": "To have it deleted, name the fingerprint to {owner}.",
    "thanks": "Thank you: your answer will be sent. Fingerprint: {}.",
    "thanks_for_both": "Thank you: your answer and the picture will be sent. Fingerprint: {}.",
}

WHAT = """## What this is
A neural network that was trained to tell pictures made by an AI from photographs and other pictures
made by people. It looks at a small copy of the whole and at a part in its own scale, averages what
it finds, and turns that into a probability that was calibrated on pictures from sources it had not
seen. It does not search the web, and it does not know who made a picture.

Pictures stay on this server for an hour at most and are used for nothing but the answer, unless
you choose to give one. The list of what you checked lives in your browser and ends with the tab."""
HOW_TRAINED = """## How it was trained
The image tower of CLIP ViT-B/16 (OpenAI, MIT licence), kept as it was, under a small network that
was trained on pictures from some 500 public repositories: generators from StyleGAN2 and Stable
Diffusion 1.x to GPT-Image-2 and FLUX.2, against photographs, portraits, art and screenshots. Both
kinds went through the same scaling and JPEG saving, so that file size and format give nothing away.
The checkpoint's own card lists every setting."""
HOW_TO_READ = """## How to read it
A verdict means little without knowing how common AI pictures are where you look. Where they are
rare, most pictures that are called AI are false alarms, however good the detector."""
CITE = """## How to cite
> RealityCheck, version {version} of the weights (SHA-256 {sha256}), and the date of the check.

Give the probability and the verdict, say that it is a detector's estimate, and keep the report."""
FROM_A_PROGRAM = "## Use it from a program"
ADDRESS = "With the address of this page in place of the one above."
TRUST = "How far to trust it"
RUNNING = "The model that is running"
MODEL = "version {}"
FEW = "fewer than 1"
NO_FIGURES = "No accuracy was measured for this checkpoint."
PERCENT = "Percent, in brackets 95 % intervals."
OTHER_CHANGES = "After other changes"
OF_SET = "of the set “{}”"
MAPS_TESTED = (
    "The maps were tested on pictures {pictures}: where a piece of an AI picture was pasted over "
    "a quarter of a photograph ({pasted} of them), {patch} of the map lay on it ({before} before, "
    "{random} of a random map). Blurring what the map marks rather than the rest, in {blurred} "
    "pictures, lowered the score by {fall} points (random map: {noise})."
)
NO_TRAINING = "This checkpoint does not say how it was trained."
TRAINING = "Its training in full"
WEAKEST = "Worst in “unseen”, clean: {}."
WEAK_GENERATOR = "the generator “{}”, {} % right"
WEAK_SOURCE = "the source of real pictures “{}”, {} % right"
ACCUSED = "Kinds of real pictures most often called AI there: {}."
ACCUSED_KIND = "{} ({} %)"
NO_RATES = "Not known: this checkpoint was not measured."
RATES = ("Share of AI pictures among those you check", "Of 100 called AI, really AI")
RATES_OF = "With the error rates measured on the set “{}”."
