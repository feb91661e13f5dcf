// How a picture gets to the server and its answer to the page: dropped or pasted anywhere, one
// skeleton while it is waited for, and what fails said where the answer would stand.
(() => {
  const { words } = window.realitycheck;
  let answer; // the properties of the verdict's component: its value is what is shown

  const answersIn = (properties) => {
    answer = properties;
  };

  // Other scripts listen: a picture is waited for, was answered, or is gone.
  const told = (what) => dispatchEvent(new Event(`realitycheck-${what}`));

  const html = (tag, className, ...children) => {
    const element = Object.assign(document.createElement(tag), { className });
    element.append(...children);
    return element;
  };

  const skeleton = () => {
    const bones = [1, 2, 3].map(() => html("i", "rc-bone"));
    return html("div", "rc-card rc-waiting", html("h2", "", words.waiting), ...bones);
  };

  const error = (sentence) => {
    const card = html("div", "rc-card rc-error", html("h2", "", words.not_checked), html("p", "", sentence));
    card.setAttribute("role", "alert");
    return card;
  };

  let waiting = ""; // id of the place that an answer is waited for in
  const wait = (place) => {
    waiting = place;
    if (place !== "verdict" || !answer) return;
    answer.value = skeleton().outerHTML;
    told("waiting");
  };

  const left = () => {
    waiting = "";
    told("left");
  };

  // So that picture and verdict are seen, from wherever the picture was chosen.
  const intoView = () => {
    const verdict = document.querySelector("#verdict")?.getBoundingClientRect();
    if (!verdict || (verdict.top >= 0 && verdict.bottom <= innerHeight)) return;
    document.querySelector("#check").scrollIntoView({ block: "start", behavior: "smooth" });
  };

  const answered = () => {
    waiting = "";
    window.realitycheck.remember();
    intoView();
    told("answered");
  };

  // --- what Gradio says in messages of its own, which pass ----------------------------------------

  const REASONS = [
    [/maximum allowed size/i, words.too_large],
    [/invalid file type/i, words.no_picture],
    [/queue is full/i, words.crowd],
    [/connection|verbindung|network|fetch|timed? ?out/i, words.no_server],
  ];

  const failed = (message) => {
    const sentence = REASONS.find(([pattern]) => pattern.test(message))?.[1] ?? message;
    const part = waiting && waiting !== "verdict" && document.querySelector(`#${waiting} .rc-progress`);
    if (part) part.replaceWith(error(sentence));
    else if (answer) {
      answer.value = error(sentence).outerHTML;
      told("failed");
      intoView();
    }
    waiting = "";
  };

  const checking = () => document.querySelector("#check")?.offsetParent;

  new MutationObserver(() => {
    if (!checking() || !answer) return;
    for (const message of document.querySelectorAll(".error .toast-message-text:not([data-said])")) {
      message.dataset.said = "";
      failed(message.innerText);
      message.closest(".toast-body").querySelector(".toast-close")?.click();
    }
  }).observe(document.documentElement, { childList: true, subtree: true });

  // --- pictures from anywhere on the page -----------------------------------------------------------

  const choose = (file) => {
    const input = document.querySelector("#picture input[type=file]");
    if (!input) return; // the camera is open
    const files = new DataTransfer();
    files.items.add(file);
    input.files = files.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };

  const taken = (event, data) => {
    const file = [...(data?.files ?? [])][0];
    if (!file || !checking() || event.defaultPrevented) return;
    event.preventDefault();
    choose(file);
  };

  addEventListener("dragover", (event) => checking() && event.preventDefault());
  addEventListener("drop", (event) => taken(event, event.dataTransfer));
  addEventListener("paste", (event) => taken(event, event.clipboardData));

  // A HEIC or TIFF that was just chosen: no browser draws it, and its answer shows it.
  addEventListener(
    "error",
    ({ target }) => target.matches?.("#picture img") && target.classList.add("rc-undrawn"),
    true,
  );

  Object.assign(window.realitycheck, { answersIn, answered, html, intoView, left, wait });
})();
