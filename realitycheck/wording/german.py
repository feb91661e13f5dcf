"""The table of `english`, in German."""

TITLE = "RealityCheck"
TABS = ("Prüfen", "Mehrere", "Info")  # which fit on a phone
INTRO = "Foto, von Menschen gemacht oder mit KI erzeugt? <strong>Ein Hinweis, kein Beweis.</strong>"
DESCRIPTION = (
    "Ist dieses Bild ein Foto, von Menschen gemacht oder mit KI erzeugt? Ein Urteil mit seiner "
    "Trefferquote, dazu die Angaben der Datei und eine Karte."
)
PICTURE_SHOWS = (
    "RealityCheck: ein Urteil auf seiner Skala, von „Foto oder von Menschen gemacht“ bis „mit KI "
    "erzeugt“."
)
HEADLINES = {
    "real-strong": "Sehr wahrscheinlich ein Foto oder von Menschen gemacht.",
    "real": "Wahrscheinlich ein Foto oder von Menschen gemacht.",
    "uncertain": "Unklar: kein Urteil möglich.",
    "ai": "Wahrscheinlich mit KI erzeugt.",
    "ai-strong": "Sehr wahrscheinlich mit KI erzeugt.",
}
ENDS = ("Foto oder von Menschen gemacht", "mit KI erzeugt")
NEXT_STEPS = {
    "ai": "Suchen, wo es zuerst erschien, und fragen, wer es gemacht hat. Ein Hinweis, kein "
    "Beweis: niemanden allein deswegen beschuldigen.",
    "real": "Prüfen, ob Datum, Ort und Bildunterschrift passen: Auch echte Bilder täuschen. Ein "
    "Hinweis, kein Beweis.",
    "uncertain": "Das Original oder eine größere Kopie suchen und prüfen. Bis dahin die Frage "
    "offen lassen.",
}
CALLS_RIGHT = "Von 100 solchen Urteilen über Bilder aus nie gesehenen Quellen stimmten {}{}."
RE_SAVED = " ({} nach erneutem Speichern durch Websites)"
NO_CALLS = "Von 100 Bildern aus nie gesehenen Quellen blieben ohne Urteil: {}{}."
WHAT_NOW = "Nächster Schritt:"
SCALE = "Von „{}“ bis „{}“: {}"
PLACE = "{} von 100 in Richtung KI"
NO_CALL_BETWEEN = "{}; zwischen {} und {} gibt es kein Urteil."
NO_CALL = "Kein Urteil zu diesem Bild: {}"
TOO_HARD = "Es ist zu schwierig."
BASE_RATE = "Wie häufig sind KI-Bilder dort, wo Sie suchen?"
BASE_RATES_SAY = {
    "ai": "Wenn {} Bildern mit KI erzeugt sind, stimmen etwa {} von 100 solchen Urteilen.",
    "real": "Wenn {} Bildern mit KI erzeugt sind, stimmen etwa {} von 100 solchen Urteilen.",
    "uncertain": "Wenn {} Bildern mit KI erzeugt sind, dann auch etwa {} von 100, die offen "
    "bleiben.",
}
SHARE_IN_CARD = "Anteil der KI-Bilder"
OF_THOUSAND = "{} von 1000"
OF_HUNDRED = "{} von 100"
FAMILY = "Ähnelt Bildern von {} ({} %). Eine Ähnlichkeit, kein Beweis."
UNCALIBRATED = "Dieses Modell wurde nie an bekannten Bildern geprüft: Seine Zahlen sagen wenig aus."
NO_THRESHOLDS = (
    "Dieses Modell gibt keine Urteile ab: Für die Schwellen waren keine oder zu wenige Bilder "
    "zurückgelegt."
)
QUICK = (
    "Schnellmodus: Nur eine kleine Kopie des Ganzen wurde angesehen, keine Einzelheiten, die "
    "dagegen sprechen könnten."
)
NOT_CHECKED = "Das konnte nicht geprüft werden."
DROP = (
    "# Bild hier ablegen oder einfügen\noder klicken und eines auswählen. Die Prüfung beginnt von "
    "selbst."
)
PICTURE = "Bild"
UNNAMED = "Bild"
ANOTHER = "Ein anderes Bild prüfen"
CHECKED_HERE = "In diesem Tab geprüft"
CLEAR = "Liste leeren"
ASK_AGAIN = "Neu speichern, verkleinern, beschneiden und noch einmal fragen"
COPIES_ASKED = "{} von {} Kopien"
REPORT_IS = (
    "Das Bild, seine Karte und alle Angaben dieser Seite, als eine HTML-Datei und als JSON (JSON "
    "auf Englisch)."
)
KEEP_REPORT = "Bericht aufbewahren"
MAKE_REPORT = "Bericht erstellen"
REPORT = "Bericht"
REPORT_TITLE = "Bericht von RealityCheck"
REPORT_MADE = "{}, erstellt {}"
REPORT_FILE = "Die Datei"
REPORT_MODEL = "Das Modell"
WEIGHTS = "SHA-256 seiner Gewichte:"
GAVE = "Was es ausgab: {}."
NUMBERS = "Alle Zahlen (JSON, englisch)"
SHARE = "Anteil der KI-Bilder dort, wo Sie suchen"
FLAGGED = (
    "Wenn {} Bildern mit KI erzeugt sind, dann auch etwa {:.0f} ({:.0f} bis {:.0f}) von 100, die "
    "so eingestuft werden."
)
TRY = "Oder ein Beispiel prüfen"
GUESS_FIRST = "Erst selbst raten"
EXAMPLE = "Beispiel {}: {}"
NO_EXAMPLE = "Dieses Beispiel gibt es nicht. Die Seite neu laden und noch einmal versuchen."
TRULY = "Was es wirklich ist"
TRUTHS = {"ai": "Mit KI erzeugt.", "real": "Foto oder von Menschen gemacht."}
OUTCOMES = {
    "True": "Das Urteil stimmt.",
    "False": "Das Urteil ist hier falsch: ein bekannter Fehler, der gezeigt wird.",
    "uncertain": "Das Modell lässt es offen, weil es das nicht erkennen kann.",
}
SOURCE = "Aus dem Paket {}. Lizenz: {}."
IN_BROWSER = {
    "guess": "Was meinen Sie?",
    "guesses": {"real": "Foto oder von Menschen gemacht", "ai": "mit KI erzeugt"},
    "right": "Richtig geraten.",
    "wrong": "Falsch geraten.",
    "score": "Sie: {right} von {all} richtig. Das Modell: {detector} von {all}, {open} offen "
    "gelassen.",
    "next": "Nächstes Bild",
    "over": "Von vorn beginnen",
    "waiting": "Das Bild wird angesehen …",
    "not_checked": NOT_CHECKED,
    "too_large": "Diese Datei ist größer als 25 MB. Eine kleinere Kopie speichern, etwa als JPEG, "
    "und damit noch einmal versuchen.",
    "no_picture": "Das ist kein Bild, das hier gelesen werden kann. Möglich sind JPEG, PNG, WebP, "
    "AVIF, HEIC, GIF, BMP und TIFF.",
    "crowd": "Gerade fragen viele zugleich. Eine Minute warten und noch einmal versuchen.",
    "no_server": "Die Seite erreicht ihren Server nicht. Die Verbindung prüfen, die Seite neu "
    "laden und noch einmal versuchen.",
}
VERDICT_NAMES = {
    "ai": "mit KI erzeugt",
    "real": "Foto oder von Menschen gemacht",
    "uncertain": "unklar",
}
IN_SHORT = (
    "Von 100 KI-Bildern aus Quellen, die das Modell nicht kannte, nannte es {right} mit KI "
    "erzeugt, ließ {open} offen und hielt {wrong} für ein Foto oder von Menschen gemacht.",
    "Von 100 Fotos und anderen Bildern, die Menschen gemacht haben, nannte es {right} so, ließ "
    "{open} offen und hielt {wrong} zu Unrecht für mit KI erzeugt.",
    "Wenn Websites die Bilder neu gespeichert hatten, hielt es {alarms} von 100 Bildern, die "
    "Menschen gemacht haben, für mit KI erzeugt und {misses} von 100 KI-Bildern für ein Foto oder "
    "von Menschen gemacht.",
)
RAISED = "erhöhte den Wert für „{}“"
MAP_SIDES = ("Wo es nach KI aussieht", "Wo es nach Foto oder Menschenhand aussieht")
MAP_SAYS = {
    "ai": "Gefärbt, wo das Bild am meisten nach KI aussieht. Bearbeitete Stellen umreißt die Karte "
    "nicht.",
    "real": "Wenig sieht hier nach KI aus; gefärbt, wo noch am meisten. Bearbeitete Stellen "
    "umreißt die Karte nicht.",
    "uncertain": "Gefärbt, wo das Bild am meisten nach KI aussieht. Die Karte umreißt keine "
    "bearbeiteten Stellen und beweist nichts.",
}
OTHER_MAP_SAYS = (
    "Gefärbt, wo das Bild am meisten nach Foto oder Menschenhand aussieht. Bearbeitete Stellen "
    "umreißt die Karte nicht."
)
EXAMINED = "Das Bild, das geprüft wurde"
UNCOVER = "Karte bis hierher zeigen"
OF_ALL = " von 100"
MAP = "Karte"
FILE_SAYS = "Was die Datei sagt"
FOUND_IN = "Gefunden in: {}."
SAYS_MORE = "Was sie noch sagt"
THE_FILE = "Die Datei "
MORE = " (und {} weitere)"
UNMOVED = "Die Skala oben ändert sich dadurch nicht."
UNREAD = "Content Credentials (C2PA) werden nicht gesucht: Dafür fehlt das Paket c2pa-python."
NOTHING = (
    "Die Datei sagt nichts über ihre Herkunft. Das beweist nichts: Die meisten Websites und "
    "Messenger entfernen solche Angaben."
)
VIEWS = {
    "whole": "das Ganze, verkleinert",
    "resized": "Teile einer kleineren Kopie",
    "native": "Teile in voller Auflösung",
}
LEANS = {
    "ai": "in Richtung KI",
    "uncertain": "keine klare Richtung",
    "real": "in Richtung Foto oder Menschenhand",
}
LEAN = "Wohin die Teile weisen"
DOUBT = "Was gegen das Urteil spricht"
NEVER_MEASURED = "Wie oft dieses Modell irrt, wurde nie gemessen."
AGREE = "Alles, was angesehen wurde, weist in dieselbe Richtung."
DISAGREE = (
    "Was angesehen wurde, weist in verschiedene Richtungen: Dem Urteil ist weniger zu trauen."
)
UNCLEAR = "Nicht alles, was angesehen wurde, weist klar in eine Richtung."
WITNESSES = {"transformer": "Transformer", "resnet50": "ResNet-50"}
WITNESSES_SAY = "Was jedes Netz sagt"
WITNESSES_AGREE = "Die Netze sind sich einig."
WITNESSES_DISAGREE = "Die Netze widersprechen sich: Dem Urteil ist weniger zu trauen."
SEEN_BY = "Karte von"
FORGEABLE = "Jeder kann das in eine Datei schreiben: nur ein Hinweis."
KEPT_ELSEWHERE = (
    "Die Datei sagt, dass ihre Content Credentials auf einem anderen Server liegen. Sie wurden "
    "nicht abgerufen: Jeder kann jede Adresse nennen."
)

SURVIVAL = "Hält das Urteil erneutem Speichern stand?"
CHANGES = "Das Urteil ändert sich in {} von {} Fällen: {}."
UNCHANGED = "Das Urteil ist bei allen {} veränderten Kopien dasselbe."
COPIES = ("Kopie", "KI, von 100", "Urteil")
TABLE = "Tabelle"
PERTURBATIONS = {
    "clean": "unverändert",
    "q90": "JPEG, Qualität 90",
    "q70": "JPEG, Qualität 70",
    "q50": "JPEG, Qualität 50",
    "half": "halbe Größe",
    "crop": "auf die Mitte beschnitten",
    "screenshot": "wie ein Bildschirmfoto",
}
SET_MEANT = " „{}“: Bilder {}."
SETS = {
    "test": "aus Quellen, die das Training kannte",
    "unseen": "aus Quellen, die das Training nie sah",
    "full": "unbeschnitten, aus Quellen, die das Training nie sah",
}

LIMITS = (
    "Ein Urteil ist eine Wahrscheinlichkeit, kein Beweis. Niemanden allein deswegen beschuldigen.",
    "Das Modell kann irren, vor allem bei Generatoren und Kameras, die es nie gesehen hat.",
    "Es sagt „unklar“, wo ein Urteil in die eine oder andere Richtung zu oft falsch wäre.",
    "Neu gespeicherte, verkleinerte, gefilterte oder zusammengesetzte Bilder geben weniger "
    "Anhaltspunkte. Glatte Studioporträts und Agenturfotos werden am häufigsten zu Unrecht für "
    "KI-Bilder gehalten.",
    "„Von Menschen gemacht“ schließt Zeichnungen und bearbeitete Fotos ein: Es heißt nicht "
    "„unbearbeitet“.",
    "Die Karte zeigt, welche Bereiche den Wert erhöht haben. Bearbeitete Stellen umreißt sie "
    "nicht.",
    "Wer die Gewichte hat (sie sind öffentlich), kann jede Antwort umkehren, indem er ein Bild um "
    "weniger verändert, als das Auge sieht.",
)
