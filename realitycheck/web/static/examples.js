// The strip of examples, and guessing before the answer is shown. The score lives in localStorage:
// it never reaches the server.
(() => {
  const { html, intoView, wait, words } = window.realitycheck;
  const KEY = "realitycheck-guesses";

  let kept = {}; // file of an example to { right, detector }, where storage is forbidden
  const read = () => {
    try {
      return JSON.parse(localStorage.getItem(KEY)) ?? {};
    } catch {
      return kept;
    }
  };
  const write = (guesses) => {
    kept = guesses;
    try {
      if (Object.keys(guesses).length) localStorage.setItem(KEY, JSON.stringify(guesses));
      else localStorage.removeItem(KEY);
    } catch {
      // Storage is full or forbidden: the score lasts as long as the page.
    }
  };

  let place; // where a guess is asked for and told
  let strip;
  let last = -1; // number of the example that was tried last
  let guess = ""; // "ai" or "real", once the visitor has said so

  const button = (text, action) => {
    const made = html("button", "", text);
    made.addEventListener("click", action);
    return made;
  };

  // While a card "rc-asked" is there, examples.css hides the answer.
  const shown = (kind, title, lines, buttons) => {
    const row = html("div", "rc-guesses", ...buttons);
    place.replaceChildren(html("div", `rc-card ${kind}`, html("h2", "", title), ...lines, row));
  };

  const leave = () => {
    guess = "";
    place?.replaceChildren();
  };

  const tried = () => {
    wait("verdict");
    if (!strip.querySelector("#rc-guess-first").checked) return;
    const choices = Object.entries(words.guesses);
    const buttons = choices.map(([label, text]) => button(text, () => said(label)));
    shown("rc-asked", words.guess, [], buttons);
    intoView();
  };

  const said = (label) => {
    guess = label;
    place.replaceChildren();
    settle();
  };

  const score = () => {
    const all = Object.values(read());
    const count = (test) => all.filter(test).length;
    return words.score
      .replaceAll("{all}", all.length)
      .replace("{right}", count(({ right }) => right))
      .replace("{detector}", count(({ detector }) => detector === "right"))
      .replace("{open}", count(({ detector }) => detector === "open"));
  };

  // Both the guess and the answer are there, in whatever order they came.
  const settle = () => {
    if (document.querySelector("#verdict .rc-error")) return leave();
    const truth = document.querySelector("#truth .rc-truth")?.dataset;
    const verdict = document.querySelector("#verdict .rc-verdict")?.classList;
    if (!truth || !verdict || !(guess in words.guesses)) return;
    const right = guess === truth.label;
    const open = verdict.contains("rc-uncertain");
    const detector = open ? "open" : verdict.contains(`rc-${truth.label}`) ? "right" : "wrong";
    const guesses = read();
    guesses[truth.file] ??= { right, detector }; // who tries again knows the answer
    write(guesses);
    guess = "";
    const over = () => {
      write({});
      leave();
    };
    const buttons = [button(words.next, following), button(words.over, over)];
    shown("rc-told", right ? words.right : words.wrong, [html("p", "", score())], buttons);
    intoView();
  };

  const following = () => {
    const thumbs = [...strip.querySelectorAll("button")];
    thumbs[(last + 1) % thumbs.length].click();
  };

  const stripIn = (element, pictures, choose) => {
    strip = element;
    element.querySelectorAll("img").forEach((image, number) => { image.src = pictures[number]; });
    element.addEventListener("click", (event) => {
      const chosen = event.target.closest("button");
      if (!chosen) return;
      last = Number(chosen.dataset.number);
      choose(last);
    });
  };

  const guessIn = (element) => {
    place = element;
  };

  addEventListener("realitycheck-waiting", leave);
  addEventListener("realitycheck-left", leave);
  addEventListener("realitycheck-failed", leave);
  addEventListener("realitycheck-answered", settle);
  Object.assign(window.realitycheck, { guessIn, stripIn, tried });
})();
