"""The table of `english_page`, in German."""

CHIPS = {
    "all": "Alle",
    "ai": "KI",
    "uncertain": "Unklar",
    "real": "Foto",
    "unread": "Unlesbar",
    "said": "Datei nennt KI",
}
COUNTED = {
    "ai": "KI",
    "uncertain": "unklar",
    "real": "Foto",
    "unread": "unlesbar",
    "said": "Datei nennt KI",
}
MANY = {
    "drop": "Bis zu {} Bilder oder Ordner hier ablegen oder Bilder auswählen",
    "begins": "Die Prüfung beginnt sofort; die verdächtigsten Bilder stehen vorn. Bilder und "
    "Urteile bleiben höchstens eine Stunde auf diesem Server.",
    "more": "Weitere Bilder hinzufügen",
    "checked": "Geprüfte Bilder",
    "show": "Anzeigen",
    "download": "Alles herunterladen (ZIP)",
    "anew": "Von vorn beginnen",
    "grid": "Bilder, die verdächtigsten zuerst. Pfeiltasten wechseln das Bild, Enter öffnet es.",
    "none": "Kein Bild ist hier von dieser Art.",
    "before": "Voriges Bild",
    "next": "Nächstes Bild",
    "close": "Schließen",
    "again": "Dieses Bild noch einmal prüfen",
}
WORDS = {
    "progress": "{done} von {all} geprüft",
    "finished": "{all} geprüft: {counts}.",
    "waiting": "Der Server ist ausgelastet. Ihre Bilder kommen von selbst an die Reihe.",
    "offline": "Keine Verbindung. Es wird wieder versucht.",
    "most": "Höchstens {most} Bilder: {left} wurden weggelassen.",
    "shown": "{count} angezeigt: {name}.",
    "place": "{at} von {all}",
    "lost": "Das Bild konnte nicht gesendet werden. Die Verbindung prüfen, dann das Bild noch "
    "einmal prüfen.",
    "opening": "Das Urteil wird geöffnet …",
    "unopened": "Das Urteil konnte nicht geöffnet werden. Die Verbindung prüfen und noch einmal "
    "versuchen.",
    "packing": "{done} von {of} werden gepackt …",
    "packed": "Gepackt. Falls der Download nicht beginnt: ",
    "save": "{name} speichern ({size} MB)",
    "missing": " {missing} Urteile liegen nicht mehr auf dem Server und fehlen darin.",
    "unpacked": "Die Dateien konnten nicht gepackt werden. Die Verbindung prüfen und noch einmal "
    "versuchen.",
}

FEEDBACK = {
    "open": "Stimmt das nicht?",
    "question": "Was ist das Bild wirklich?",
    "real": "Ein Foto oder von Menschen gemacht",
    "ai": "Mit KI erzeugt",
    "unsure": "Das kann ich nicht sagen",
    "consent": "Womit Sie einverstanden sind",
    "to_everybody": "Meine Antwort senden; alle können sie sehen",
    "to_owner": "Meine Antwort senden; wer diese Seite betreibt, kann sie sehen",
    "picture": "Auch das Bild senden, falls ich weiß, was es ist: Niemand, der darauf ist oder es "
    "gemacht hat, hätte etwas dagegen",
    "send": "Senden",
    "what": "Gesendet werden Ihre Antwort, das Urteil, das heutige Datum und der Fingerabdruck der "
    "Datei (SHA-256); nichts über Sie. Ein Bild verliert vorher Ort, Zeit, Gerät und alle anderen "
    "Angaben.",
    "public": "Alle können den Datensatz {link} sehen.",
    "private": "Die Antwort geht in den Datensatz {name}; er ist nicht öffentlich.",
    "unknown": "Die Antwort geht in den Datensatz {name}: Gehen Sie davon aus, dass alle ihn sehen "
    "können.",
    "delete_everybody": "Zum Löschen den Fingerabdruck dort in einer Diskussion nennen.",
    "delete_owner": "Zum Löschen den Fingerabdruck an {owner} melden.",
    "thanks": "Danke: Ihre Antwort wird gesendet. Fingerabdruck: {}.",
    "thanks_for_both": "Danke: Ihre Antwort und das Bild werden gesendet. Fingerabdruck: {}.",
}

WHAT = """## Was das ist
Ein neuronales Netz, das darauf trainiert wurde, mit KI erzeugte Bilder von Fotos und anderen
Bildern zu unterscheiden, die Menschen gemacht haben. Es sieht eine kleine Kopie des Ganzen und
einen Teil in voller Auflösung an, mittelt die Ergebnisse und macht daraus eine Wahrscheinlichkeit,
die an Bildern aus ihm unbekannten Quellen kalibriert wurde. Es durchsucht nicht das Netz und weiß
nicht, wer ein Bild gemacht hat.

Bilder bleiben höchstens eine Stunde auf diesem Server und dienen nur dem Urteil, es sei denn, Sie
geben eines frei. Die Liste der geprüften Bilder liegt in Ihrem Browser und endet mit dem Tab."""
HOW_TRAINED = """## Wie es trainiert wurde
Der Bildteil von CLIP ViT-B/16 (OpenAI, MIT-Lizenz), unverändert, unter einem kleinen Netz, das an
Bildern aus rund 500 öffentlichen Quellen trainiert wurde: Generatoren von StyleGAN2 und Stable
Diffusion 1.x bis GPT-Image-2 und FLUX.2, gegen Fotos, Porträts, Kunst und Bildschirmfotos. Beide
Arten wurden auf gleiche Weise skaliert und als JPEG gespeichert, damit Größe und Format der Datei
nichts verraten. Die Modellkarte nennt jede Einstellung."""
HOW_TO_READ = """## Wie es zu lesen ist
Ein Urteil sagt wenig, solange man nicht weiß, wie häufig KI-Bilder dort sind, wo man sucht. Wo sie
selten sind, ist die Mehrzahl der KI-Urteile ein Fehlalarm, wie gut das Modell auch sei."""
CITE = """## Wie es zu zitieren ist
> RealityCheck, Version {version} der Gewichte (SHA-256 {sha256}), und das Datum der Prüfung.

Wahrscheinlichkeit und Urteil angeben, dazu, dass es die Schätzung eines Modells ist. Den Bericht
aufbewahren."""
FROM_A_PROGRAM = "## Aus einem Programm fragen"
ADDRESS = "Anstelle der Adresse oben ist die Adresse dieser Seite einzusetzen."
TRUST = "Wie weit man ihm trauen kann"
RUNNING = "Das Modell, das hier läuft"
MODEL = "Version {}"
FEW = "weniger als 1"
NO_FIGURES = "Für dieses Modell wurde keine Trefferquote gemessen."
PERCENT = "In Prozent, in Klammern Vertrauensbereiche von 95 %."
OTHER_CHANGES = "Nach anderen Veränderungen"
OF_SET = "der Gruppe „{}“"
MAPS_TESTED = (
    "Die Karten wurden an Bildern {pictures} geprüft: Wo ein Stück eines KI-Bilds auf ein Viertel "
    "eines Fotos gesetzt war ({pasted} Fälle), lagen {patch} der Karte darauf ({before} vorher, "
    "{random} bei einer zufälligen Karte). Wurde unscharf gemacht, was die Karte hervorhebt, statt "
    "des Rests, sank der Wert in {blurred} Bildern um {fall} Punkte (zufällige Karte: {noise})."
)
NO_TRAINING = "Dieses Modell sagt nicht, wie es trainiert wurde."
TRAINING = "Sein Training im Einzelnen (englisch)"
WEAKEST = "Am schlechtesten in „unseen“, unverändert: {}."
WEAK_GENERATOR = "der Generator „{}“, {} % richtig"
WEAK_SOURCE = "die Quelle echter Bilder „{}“, {} % richtig"
ACCUSED = "Dort am häufigsten fälschlich als KI eingestuft: {}."
ACCUSED_KIND = "{} ({} %)"
NO_RATES = "Nicht bekannt: Dieses Modell wurde nicht gemessen."
RATES = (
    "Anteil der KI-Bilder unter den geprüften",
    "Von 100 so eingestuften wirklich mit KI erzeugt",
)
RATES_OF = "Mit den Fehlerquoten, die an der Gruppe „{}“ gemessen wurden."
