// What the page does in the browser alone. The history lives in sessionStorage: it ends with the
// tab and never reaches the server.
(() => {
  const KEY = "realitycheck-history", MOST = 50;

  // As Gradio chooses among the page's fixed texts, and the server among its own.
  const { told } = window.realitycheck, first = navigator.language.split("-")[0];
  const code = first in told ? first : "en";

  const read = () => {
    try {
      return JSON.parse(sessionStorage.getItem(KEY)) ?? [];
    } catch {
      return [];
    }
  };

  const write = (entries) => {
    try {
      sessionStorage.setItem(KEY, JSON.stringify(entries));
    } catch {
      // Storage is full or forbidden: the history is a convenience, the answer is not.
    }
  };

  const element = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });

  const line = (entry) => {
    const item = document.createElement("li");
    const image = Object.assign(document.createElement("img"), { src: entry.thumbnail, alt: "" });
    item.append(image, element("span", `${entry.time} · ${entry.name} · ${entry.sentence}`));
    return item;
  };

  const show = () => {
    const place = document.querySelector("#history .rc-history");
    if (!place) return;
    const entries = read();
    const list = document.createElement("ol");
    list.append(...entries.map(line));
    place.replaceChildren(list);
    place.parentElement.hidden = !entries.length;
  };

  const remember = () => {
    const verdict = document.querySelector("#verdict .rc-verdict h2");
    if (!verdict) return;
    const entry = {
      name: document.querySelector("#again img").dataset.name,
      sentence: verdict.textContent,
      time: new Date().toLocaleTimeString(),
      thumbnail: document.querySelector("#again img").src,
    };
    write([entry, ...read()].slice(0, MOST));
    show();
  };

  const clear = () => {
    sessionStorage.removeItem(KEY);
    show();
  };

  // Gradio names the browser's language, whichever ours is.
  document.body.lang = code;

  Object.assign(window.realitycheck, { words: told[code], remember, clear, show });
})();
