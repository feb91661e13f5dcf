"""What is said in English where nobody knows the reader, in German: doubts, errors, what files say.

The keys are the English sentences as the code makes them, with gaps; see `language.Language`.
"""

from realitycheck.wording import english, english_page, german, german_page

_DOUBTS = {
    "Bars of one colour around it were cut off: {} x {} px of picture were examined.": "Einfarbige "
    "Balken am Rand wurden abgeschnitten: Geprüft wurden {0} x {1} Pixel des Bilds.",
    "It has no colour, which hides much of what gives AI pictures away.": "Es hat keine Farbe; "
    "vieles, was KI-Bilder verrät, ist so nicht zu sehen.",
    "Most of it is flat colour, as in screenshots, drawings and text: the detector knows "
    "photographs best.": "Das meiste ist einfarbige Fläche wie in Bildschirmfotos, Zeichnungen und "
    "Texten: Das Modell kennt Fotos am besten.",
    "It looks like noise, not like a picture of something.": "Es sieht nach Rauschen aus, nicht "
    "nach einem Bild von etwas.",
    "It is very dark: most of what can be seen in it is noise.": "Es ist sehr dunkel: Zu sehen ist "
    "vor allem Rauschen.",
    "Enlarged from about {} x {} px: small pictures carry little evidence, and enlarging adds "
    "none.": "Vergrößert aus etwa {0} x {1} Pixeln: Kleine Bilder geben wenig Anhaltspunkte, und "
    "Vergrößern fügt keine hinzu.",
    "Only {} x {} px: small pictures carry little evidence.": "Nur {0} x {1} Pixel: Kleine Bilder "
    "geben wenig Anhaltspunkte.",
    "It is {} times as long as it is wide: only parts of it were looked at.": "Es ist {0}-mal so "
    "lang wie breit: Nur Teile davon wurden angesehen.",
    "Strongly compressed{said} ({said}JPEG quality about {} of 100): that removes the traces that "
    "cameras and generators leave.": "Stark komprimiert{0} ({1}JPEG-Qualität etwa {2} von 100): "
    "Das entfernt die Spuren, die Kameras und Generatoren hinterlassen.",
    "The AI probability lies between {}% and {}%, where a verdict would too often be false.": "Die "
    "KI-Wahrscheinlichkeit liegt zwischen {0} % und {1} %; dort wäre ein Urteil zu oft falsch.",
    "{} of the {} parts that were looked at point the other way.": "{0} von {1} angesehenen Teilen "
    "weisen in die andere Richtung.",
    english.NO_THRESHOLDS: german.NO_THRESHOLDS,
    english.UNCALIBRATED: german.UNCALIBRATED,
    english.QUICK: german.QUICK,
    "The file lacks its end marker, as if its transfer was cut short; no pixel is missing.": "Der "
    "Datei fehlt ihre Endmarke, als wäre die Übertragung abgebrochen; es fehlt kein Bildpunkt.",
    "Some of the file's metadata is damaged or oversized; the picture was read without it.": "Ein "
    "Teil der Metadaten ist beschädigt oder zu groß; das Bild wurde ohne sie gelesen.",
    "The file's colour profile could not be used: its colours were read as sRGB.": "Das Farbprofil "
    "der Datei war nicht verwendbar: Die Farben wurden als sRGB gelesen.",
    "The file holds several frames or pages: only the first was examined.": "Die Datei enthält "
    "mehrere Bilder oder Seiten: Nur das erste wurde geprüft.",
    "The file's orientation tag could not be read; shown as stored.": "Die Angabe zur Ausrichtung "
    "war nicht lesbar; das Bild wird gezeigt, wie es gespeichert ist.",
    "Values of more than 8 bits (mode {}) were scaled to 8 bits.": "Werte mit mehr als 8 Bit "
    "(Modus {0}) wurden auf 8 Bit umgerechnet.",
    "Transparent parts were put on white.": "Durchsichtige Teile wurden weiß hinterlegt.",
}
_ERRORS = {
    "This TIFF keeps its 16-bit colours in separate planes, which would be read wrongly. Save it "
    "as a PNG or an ordinary TIFF and retry.": "Dieses TIFF speichert seine 16-Bit-Farben in "
    "getrennten Ebenen, die falsch gelesen würden. Als PNG oder gewöhnliches TIFF speichern und "
    "noch einmal versuchen.",
    "This is an HDR picture: its values mean light beyond white, which the detector never learned. "
    "Export it as an ordinary (SDR) JPEG and retry.": "Das ist ein HDR-Bild: Seine Werte reichen "
    "über Weiß hinaus, und das hat das Modell nie gelernt. Als gewöhnliches JPEG (SDR) exportieren "
    "und noch einmal versuchen.",
    "The {said} file is damaged, or of a kind that cannot be read here. Open it in a picture "
    "editor and save it as a JPEG or PNG.": "Die Datei ({0}) ist beschädigt oder von einer Art, "
    "die hier nicht gelesen werden kann. In einem Bildbearbeitungsprogramm öffnen und als JPEG "
    "oder PNG speichern.",
    "This is a {} file, a format that is not read here. Save it as a JPEG or PNG and "
    "retry.": "Das ist eine Datei im Format {0}, das hier nicht gelesen wird. Als JPEG oder PNG "
    "speichern und noch einmal versuchen.",
    "The {said} file is damaged or cut short{said}. Get the original again, or open and save it in "
    "a picture editor.": "Die Datei ({0}) ist beschädigt oder abgebrochen{1}. Das Original neu "
    "beschaffen oder die Datei in einem Bildbearbeitungsprogramm öffnen und speichern.",
    "The picture has more than {} megapixels. Save it smaller.": "Das Bild hat mehr als {0} "
    "Megapixel. Kleiner speichern.",
    "This is not a picture we can read. Use JPEG, PNG, WebP, AVIF, HEIC, GIF, BMP or "
    "TIFF{said}.": "Das ist kein Bild, das hier gelesen werden kann. Möglich sind JPEG, PNG, WebP, "
    "AVIF, HEIC, GIF, BMP und TIFF{0}.",
    "This is not a picture you uploaded. Upload it again and retry.": "Dieses Bild haben Sie nicht "
    "hochgeladen. Neu hochladen und noch einmal versuchen.",
    "The file has {} MB; the limit is {} MB. Save it smaller, or crop the part that matters at its "
    "original scale.": "Die Datei hat {0} MB; erlaubt sind {1} MB. Kleiner speichern oder den "
    "wichtigen Teil in voller Auflösung ausschneiden.",
    "The file is empty. Upload it again, or save it anew.": "Die Datei ist leer. Noch einmal "
    "hochladen oder neu speichern.",
    "This is a camera's raw file ({}): only its thumbnail could be read. Export it as a JPEG and "
    "retry.": "Das ist eine Rohdatei einer Kamera ({0}): Nur ihr Vorschaubild wäre lesbar. Als "
    "JPEG exportieren und noch einmal versuchen.",
    "The picture has {} megapixels; the limit is {}. Save it smaller, or crop the part that "
    "matters.": "Das Bild hat {0} Megapixel; erlaubt sind {1}. Kleiner speichern oder den "
    "wichtigen Teil ausschneiden.",
    "The picture is {} x {} px; at least {} px on each side are needed. Find a larger copy: "
    "enlarging this one adds no evidence.": "Das Bild hat {0} x {1} Pixel; nötig sind mindestens "
    "{2} Pixel je Seite. Eine größere Kopie suchen: Vergrößern fügt keine Anhaltspunkte hinzu.",
    "The detector stopped while it examined this picture and is starting again. Save the picture "
    "anew in an editor, and try in a few seconds.": "Das Modell ist an diesem Bild gescheitert und "
    "startet neu. Das Bild in einem Bildbearbeitungsprogramm neu speichern und es in einigen "
    "Sekunden noch einmal versuchen.",
    "This answer is no longer here: all are deleted within the hour. Check the picture "
    "again.": "Dieses Urteil liegt nicht mehr vor: Alle werden binnen einer Stunde gelöscht. Das "
    "Bild noch einmal prüfen.",
    "The server could not write the file because {said}. Tell whoever runs this page.": "Der "
    "Server konnte die Datei nicht schreiben: {0}. Bitte dem Betreiber dieser Seite melden.",
    english_page.WORDS["lost"]: german_page.WORDS["lost"],
    "Choose a picture first.": "Zuerst ein Bild auswählen.",
    "Choose pictures first, {} at most.": "Zuerst Bilder auswählen, höchstens {0}.",
    "No picture was sent.": "Es wurde kein Bild gesendet.",
    "Something went wrong here, and the server's log says what.": "Hier ist etwas schiefgegangen; "
    "das Protokoll des Servers sagt, was.",
}
_FEEDBACK = {
    "Choose what the picture truly is, then send it.": "Zuerst auswählen, was das Bild wirklich "
    "ist, dann senden.",
    "This is one of our examples, and we know what it is. Nothing was sent.": "Das ist eines "
    "unserer Beispiele, und wir wissen, was es ist. Nichts wurde gesendet.",
    "The same was said of this picture before, and it is kept once.": "Dasselbe wurde über dieses "
    "Bild schon gesagt; es wird einmal aufbewahrt.",
    "Nothing was sent: it needs your consent, the first box.": "Nichts wurde gesendet: Dafür ist "
    "Ihr Einverständnis nötig, das erste Kästchen.",
    "Nothing was sent: everybody can see the dataset now. Close this part, open it again, and read "
    "who can see it.": "Nichts wurde gesendet: Alle können den Datensatz jetzt sehen. Diesen Teil "
    "schließen, wieder öffnen und lesen, wer ihn sehen kann.",
    "Nothing was sent: {} in an hour is the most from one visitor. Come back later.": "Nichts "
    "wurde gesendet: Mehr als {0} je Stunde nehmen wir von einem Besucher nicht an. Später "
    "wiederkommen.",
    "Nothing was sent: too much came within the hour. Try again later.": "Nichts wurde gesendet: "
    "In dieser Stunde kam zu viel an. Später noch einmal versuchen.",
    "Nothing was kept: too much waits to be sent. Try again tomorrow, or tell whoever runs this "
    "page.": "Nichts wurde aufbewahrt: Zu viel wartet darauf, gesendet zu werden. Morgen noch "
    "einmal versuchen oder es dem Betreiber dieser Seite melden.",
    "Nothing was kept: the server could not write it because {said}. Tell whoever runs this "
    "page.": "Nichts wurde aufbewahrt: Der Server konnte es nicht schreiben: {0}. Bitte dem "
    "Betreiber dieser Seite melden.",
}
_FILES_SAY = {  # whole sentences with another behind them come first
    "{said} It was asked for “{}”.": "{0} Der Auftrag lautete: „{1}“.",
    "{said} Something else in the file points to an AI.": "{0} Etwas anderes in der Datei weist "
    "auf eine KI.",
    "{said} It passes on what {said} declared, whose signature is unchecked.": "{0} "
    "Weitergegeben wird, was {1} angab; deren Signatur ist ungeprüft.",
    "The file carries {said}; they declare no origin that is known here.": "Die Datei enthält "
    "{0}; sie nennen keine Herkunft, die hier bekannt ist.",
    "The file, in {said}, declares {said}.": "Die Datei gibt an, in {0}: {1}.",
    "The file declares {said}.": "Die Datei gibt an: {0}.",
    "The file names the AI system that made it: {}.": "Die Datei nennt das KI-System, das sie "
    "erzeugt hat: {0}.",
    "The file holds an AI's prompt.": "Die Datei enthält den Auftrag an eine KI.",
    "The file's credit line says that an AI made it: “{}”.": "Laut Urheberangabe der Datei hat "
    "eine KI sie erzeugt: „{0}“.",
    "The file carries the mark of a service (AIGC) that it is made by an AI.": "Die Datei trägt "
    "die Kennzeichnung eines Dienstes (AIGC), dass sie mit KI erzeugt ist.",
    "The file carries the mark of a service (AIGC) that it may be made by an AI.": "Die Datei "
    "trägt die Kennzeichnung eines Dienstes (AIGC), dass sie mit KI erzeugt sein könnte.",
    "The file holds the settings of a picture made with {}.": "Die Datei enthält die Einstellungen "
    "eines Bilds, das mit {0} erzeugt wurde.",
    "The file says that it was made with the generator {}.": "Die Datei sagt, dass sie mit dem "
    "Generator {0} erzeugt wurde.",
    "The file names a camera, {}, and its exposure.": "Die Datei nennt eine Kamera, {0}, und die "
    "Belichtung.",
    "The file names a camera, {}, without any exposure.": "Die Datei nennt eine Kamera, {0}, aber "
    "keine Belichtung.",
    english.FORGEABLE: german.FORGEABLE,
    english.KEPT_ELSEWHERE: german.KEPT_ELSEWHERE,
    "Signature intact, and the signer is on the trust list.": "Signatur unversehrt, und wer "
    "signiert hat, steht auf der Vertrauensliste.",
    "Signature intact, signer not verified: it is signed in the name of {}, but anybody can sign, "
    "in any name, so who did is not established.": "Signatur unversehrt, Unterzeichner ungeprüft: "
    "Sie lautet auf {0}, aber jeder kann in jedem Namen signieren; wer es war, steht nicht fest.",
    "Signature intact, signer not verified: anybody can sign, in any name, so who did is not "
    "established.": "Signatur unversehrt, Unterzeichner ungeprüft: Jeder kann in jedem Namen "
    "signieren; wer es war, steht nicht fest.",
    "Signature broken: the file was changed after it was signed, or the signature has expired or "
    "never was good. What is declared may not belong to these pixels.": "Signatur gebrochen: Die "
    "Datei wurde nach dem Signieren verändert, oder die Signatur ist abgelaufen oder war nie "
    "gültig. Die Angaben gehören womöglich nicht zu diesem Bild.",
}
_EXAMPLES = {  # of examples.json: what they show, and who made them
    "a flower": "eine Blume",
    "a laughing woman": "eine lachende Frau",
    "a cat": "eine Katze",
    "a woman in a harbour": "eine Frau in einem Hafen",
    "a cup of coffee": "eine Tasse Kaffee",
    "flowers on a meadow": "Blumen auf einer Wiese",
    "an astronaut": "eine Astronautin",
    "a woman in a long dress": "eine Frau in einem langen Kleid",
    "A photograph by {}, from Flickr. We smoothed it, as retouchers do.": "Ein Foto von {0}, von "
    "Flickr. Wir haben es geglättet wie bei einer Retusche.",
    "A photograph by {}. We smoothed it, as retouchers do, and cut it.": "Ein Foto von {0}. Wir "
    "haben es geglättet wie bei einer Retusche und beschnitten.",
    "A photograph of Chelsea the cat, by {}.": "Ein Foto der Katze Chelsea, von {0}.",
    "A photograph of Eileen Collins, by {}.": "Ein Foto von Eileen Collins, von der {0}.",
    "Made by {}. We wrote into its file that an AI made it, as many generators do.": "Erzeugt von "
    "{0}. Wir haben in die Datei geschrieben, dass eine KI es erzeugt hat, wie es viele "
    "Generatoren tun.",
    "Made by {}.": "Erzeugt von {0}.",
    "public domain": "gemeinfrei",
}
_TABLES = {  # heads, and conditions that pictures were measured under
    "pictures": "Bilder",
    "setting": "Einstellung",
    "value": "Wert",
    "step {}": "Schritt {0}",
    "balanced accuracy": "balancierte Genauigkeit",
    "verdict given": "mit Urteil",
    "right when given": "davon richtig",
    "real called AI": "echt, aber KI genannt",
    "AI called real": "KI, aber echt genannt",
}
SENTENCES = {**_DOUBTS, **_ERRORS, **_FEEDBACK, **_FILES_SAY, **_EXAMPLES, **_TABLES}

PHRASES = {  # parts of the sentences above
    " before it was saved this way": ", bevor es so gespeichert wurde",
    "as bad as ": "so schlecht wie ",
    ": {said} % of its {said} are missing": ": {0} % der {1} fehlen",
    "less than {}": "weniger als {0}",
    "about {}": "etwa {0}",
    "pixels": "Bildpunkte",
    "bytes": "Bytes",
    "picture": "Bild",
    " (HEIC needs the pillow-heif package)": " (für HEIC fehlt das Paket pillow-heif)",
    "the disk is full": "Der Datenträger ist voll",
    "your quota on this disk is used up": "Der Platz auf dem Datenträger ist aufgebraucht",
    "it would be larger than a file may be there": "Sie wäre größer, als eine Datei dort sein darf",
    "that place is read-only": "Der Ort ist schreibgeschützt",
    "you may not write there": "Dort darf nicht geschrieben werden",
    "a file is in the place of a folder": "Eine Datei liegt, wo ein Ordner sein müsste",
    "a folder of that name is there": "Ein Ordner dieses Namens liegt dort",
    "its name is too long": "Ihr Name ist zu lang",
    "its disk refused": "Der Datenträger hat es abgelehnt",
    "an earlier version": "eine frühere Fassung",
    "a part of the picture": "ein Teil des Bilds",
    "{said} written by {}": "{0}, geschrieben von {1}",
    "{said} of an earlier version": "{0} einer früheren Fassung",
    "{said} of a part of it": "{0} eines Teils davon",
    "Content Credentials": "Content Credentials",
    "broken Content Credentials": "gebrochenen Content Credentials",
    "{said}; but parts or versions of it are declared to be made by a generative AI": "{0}; "
    "Teile oder Fassungen davon sind aber als von einer generativen KI erzeugt angegeben",
    "{said}; afterwards: {said}": "{0}; danach: {1}",
    "{said} ({}), with {}": "{0} ({1}), mit {2}",
    "that a person made it with software (digital art)": "von einem Menschen mit Software gemacht "
    "(digitale Kunst)",
    "that it was drawn from data (data-driven)": "aus Daten gezeichnet (datengesteuert)",
    "{said} ({})": "{0} ({1})",
    # IPTC's digital source types, behind "gibt an:".
    "that it was made by a generative AI": "von einer generativen KI erzeugt",
    "parts made by a generative AI": "Teile von einer generativen KI erzeugt",
    "parts that are synthetic, at least one by a generative AI": "synthetische Teile, mindestens "
    "einer von einer generativen KI",
    "data made by a generative AI": "Daten von einer generativen KI erzeugt",
    "that it was made by an algorithm without sampled data": "von einem Algorithmus ohne "
    "Vorlagedaten erzeugt",
    "a recording of a virtual event, of captured or generated elements": "Aufnahme eines "
    "virtuellen Ereignisses aus aufgenommenen oder erzeugten Teilen",
    "a composite of several elements": "aus mehreren Teilen zusammengesetzt",
    "that a digital camera captured it": "mit einer Digitalkamera aufgenommen",
    "that a camera captured it, with computation": "mit einer Kamera aufgenommen und berechnet",
    "several camera captures put together": "aus mehreren Kameraaufnahmen zusammengesetzt",
    "a scan of a film negative": "Scan eines Filmnegativs",
    "a scan of a film positive": "Scan eines Diapositivs",
    "a scan of a print": "Scan eines Abzugs",
    "a capture of a screen": "Bildschirmaufnahme",
    "that an algorithm enhanced it": "von einem Algorithmus verbessert",
    "that a person edited it": "von einem Menschen bearbeitet",
    "that a person edited it slightly": "von einem Menschen leicht bearbeitet",
    "that a person made it with software": "von einem Menschen mit Software gemacht",
    "that it was made with software": "mit Software gemacht",
    "that it began as an empty canvas": "als leere Fläche begonnen",
    "a source type that is not known here": "eine Herkunftsart, die hier nicht bekannt ist",
    # What C2PA's actions did.
    "{said}, {said}": "{0}, {1}",
    "colours adjusted": "Farben angepasst",
    "converted": "umgewandelt",
    "cropped": "beschnitten",
    "drawn on": "bemalt",
    "edited": "bearbeitet",
    "enhanced": "verbessert",
    "filtered": "gefiltert",
    "turned": "gedreht",
    "something placed in it": "etwas eingefügt",
    "resized": "in der Größe verändert",
    "saved anew": "neu gespeichert",
    "watermarked": "mit Wasserzeichen versehen",
    "edited by a person": "von einem Menschen bearbeitet",
    "enhanced by an algorithm": "von einem Algorithmus verbessert",
}
