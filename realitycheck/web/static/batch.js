// Many pictures: each is sent and checked by a call of its own, so that visitors take turns. The
// grid is sorted and filtered here; answers lie on the server for as long as uploads do.
(() => {
  const SLOW = 3000, TRIES = 6; // ms for one picture that tell of a crowd; of a call that fails
  let place = null, data = null, run = null;

  const one = (selector) => place.querySelector(selector);
  const fill = (text, values) => text.replace(/{(\w+)}/g, (_, name) => values[name]);
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const element = (tag, name, text = "") =>
    Object.assign(document.createElement(tag), { className: name, textContent: text });
  const show = (selector, shown) => { one(selector).hidden = !shown; };

  // --- the server -----------------------------------------------------------------------------

  class Refused extends Error {} // for good, with a sentence

  const api = () => {
    const { root, api_prefix } = window.gradio_config ?? {}; // Gradio's SSR tells none
    const here = location.origin + location.pathname.replace(/\/+$/, "");
    return (root ?? here) + (api_prefix ?? "/gradio_api");
  };

  // One call at a time for each session: the server sends a session's answers to whoever listens.
  const ask = async (name, sent, session, signal, told = () => {}) => {
    const joined = await fetch(`${api()}/call/${name}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ data: [sent], session_hash: session }),
      signal,
    });
    if (!joined.ok) throw Object.assign(new Error(), { busy: joined.status === 503 });
    const { event_id } = await joined.json();
    const heard = await fetch(`${api()}/call/${name}/${event_id}`, { signal });
    const reader = heard.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "", found = null;
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      text += part.value;
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const [, event, carried] = text.slice(0, end).match(/^event: (\w+)\ndata: (.*)$/s) ?? [];
        text = text.slice(end + 2);
        const said = carried ? JSON.parse(carried) : null;
        if (event === "error") throw said?.error ? new Refused(said.error) : new Error(said);
        if (said?.[0]) told((found = said[0]));
      }
    }
    if (!found) throw new Error();
    return found;
  };

  const upload = async (file, signal) => {
    if (file.size > data.maxBytes) return { name: file.name, size: file.size };
    const form = new FormData();
    form.append("files", file, file.name);
    const answer = await fetch(`${api()}/upload`, { method: "POST", body: form, signal });
    if (answer.status === 413) return { name: file.name, size: data.maxBytes + 1 };
    if (!answer.ok) throw new Error();
    return { file: (await answer.json())[0] };
  };

  // --- checking -------------------------------------------------------------------------------

  const fresh = () => ({
    session: Array.from(crypto.getRandomValues(new Uint32Array(3)), (n) => n.toString(36)).join(""),
    stop: new AbortController(),
    items: [], waiting: [], lanes: new Set(),
    kind: "all", slow: false, opened: null, opening: Promise.resolve(),
  });

  const lost = (item, why) => ({
    file: item.file.name, kind: "unread", said: false, suspicion: -1, thumbnail: "",
    kept: "", reason: why, unkept: why, lost: true,
  });

  const checked = async (mine, item, lane) => {
    let sent = null;
    for (let failed = 0; ; ) {
      try {
        sent ??= await upload(item.file, mine.stop.signal);
        const began = performance.now();
        const found = await ask("triage", sent, `${mine.session}${lane}`, mine.stop.signal);
        mine.slow = performance.now() - began > SLOW;
        note(mine, "");
        return found;
      } catch (error) {
        if (mine.stop.signal.aborted) return null;
        if (error instanceof Refused) return lost(item, error.message);
        if (!error.busy && ++failed === TRIES) return lost(item, data.words.lost);
        note(mine, error.busy ? data.words.waiting : data.words.offline);
        await pause(error.busy ? SLOW : 500 * 2 ** failed);
      }
    }
  };

  const work = async (mine, lane) => {
    while (mine.waiting.length && !mine.stop.signal.aborted) {
      // In a crowd, one place in the queue is enough.
      if (lane && mine.slow && mine.lanes.has(0)) {
        await pause(SLOW / 3);
        continue;
      }
      const item = mine.waiting.shift();
      item.tile = await checked(mine, item, lane);
      if (mine === run && item.tile) settle(item);
    }
  };

  const go = () => {
    const mine = run;
    for (let lane = 0; lane < data.lanes; lane++) {
      if (mine.lanes.has(lane)) continue;
      mine.lanes.add(lane);
      work(mine, lane).finally(() => {
        mine.lanes.delete(lane);
        if (mine !== run) return;
        if (mine.waiting.length) go();
        else if (!mine.lanes.size)
          tell(fill(data.words.finished, { all: mine.items.length, counts: counted() }));
      });
    }
  };

  const add = (files) => {
    if (!files.length) return;
    run ??= fresh();
    const taken = files.slice(0, data.most - run.items.length);
    const left = files.length - taken.length;
    note(run, left ? fill(data.words.most, { most: data.most, left }) : "", true);
    for (const file of taken) {
      const item = { number: run.items.length, file, tile: null, li: null };
      run.items.push(item);
      run.waiting.push(item);
    }
    tell("");
    count();
    go();
  };

  const anew = () => {
    run?.stop.abort();
    run = null;
    draw();
    one(".rc-drop input").focus();
  };

  // --- what is dropped ------------------------------------------------------------------------

  // Of a folder only what looks like a picture: there is more in most folders.
  const inside = async (entry) => {
    if (entry.isFile) {
      const known = data.suffixes.some((suffix) => entry.name.toLowerCase().endsWith(suffix));
      if (!known || entry.name.startsWith(".")) return [];
      return [await new Promise((done, failed) => entry.file(done, failed))];
    }
    const reader = entry.createReader(), found = [];
    for (;;) {
      const some = await new Promise((done, failed) => reader.readEntries(done, failed));
      if (!some.length) return found;
      for (const part of some) found.push(...(await inside(part)));
    }
  };

  const dropped = async (transfer) => {
    // All before the first wait: a drop's entries are gone after it.
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.());
    const files = [...transfer.files];
    const folders = entries.filter((entry) => entry?.isDirectory);
    if (!folders.length) return files;
    const names = new Set(folders.map((folder) => folder.name));
    const found = files.filter((file) => !names.has(file.name));
    for (const folder of folders) found.push(...(await inside(folder).catch(() => [])));
    return found;
  };

  // --- the grid -------------------------------------------------------------------------------

  const before = (a, b) => b.tile.suspicion - a.tile.suspicion || a.number - b.number;
  const fits = (item, kind) =>
    kind === "all" || (kind === "said" ? item.tile.said : item.tile.kind === kind);
  const answered = () => (run ? run.items.filter((item) => item.tile).sort(before) : []);
  const shown = () => answered().filter((item) => fits(item, run.kind));
  const button = (item) => item.li.firstChild;

  const badge = (kind) => element("span", `rc-badge rc-${kind}`, data.badges[kind]);

  const tile = (item) => {
    const { kind, said, file, reason, thumbnail } = item.tile;
    const face = element("button", "rc-tile");
    face.type = "button";
    face.tabIndex = -1;
    face.setAttribute("aria-haspopup", "dialog");
    const picture = element(thumbnail ? "img" : "span", "rc-face", thumbnail ? "" : "?");
    if (thumbnail) Object.assign(picture, { src: thumbnail, alt: "" });
    else picture.setAttribute("aria-hidden", "true");
    const badges = element("span", "rc-badges");
    badges.append(badge(kind), ...(said ? [" ", badge("said")] : []));
    const [name, why] = [element("span", "rc-name", file), element("span", "rc-why", reason)];
    face.append(picture, badges, name, why);
    face.addEventListener("click", () => open(item));
    const li = element("li", "");
    li.append(face);
    return li;
  };

  const put = (item) => {
    const later = answered().find((other) => other.li && other !== item && before(item, other) < 0);
    item.li = tile(item);
    item.li.hidden = !fits(item, run.kind);
    one(".rc-grid").insertBefore(item.li, later ? later.li : null);
  };

  const settle = (item) => {
    put(item);
    one(".rc-packed").replaceChildren();
    count();
  };

  const counted = () =>
    Object.entries(data.counted)
      .map(([kind, name]) => [answered().filter((item) => fits(item, kind)).length, name])
      .filter(([many]) => many)
      .map(([many, name]) => `${many} ${name}`)
      .join(", ");

  const count = () => {
    const done = answered(), all = run?.items.length ?? 0;
    show(".rc-bench", all);
    place.classList.toggle("rc-begun", all > 0);
    const still = done.length < all;
    Object.assign(one("progress"), { value: done.length, max: all || 1, hidden: !still });
    one(".rc-count").textContent = fill(data.words.progress, { done: done.length, all });
    for (const chip of place.querySelectorAll(".rc-chip")) {
      const kind = chip.dataset.kind;
      chip.querySelector("b").textContent = done.filter((item) => fits(item, kind)).length;
      chip.setAttribute("aria-pressed", kind === (run?.kind ?? "all"));
    }
    one(".rc-pack").disabled = !done.length || Boolean(run?.packing);
    const visible = shown();
    show(".rc-none", done.length && !visible.length);
    reach(visible);
  };

  // One tile is reached by Tab, the others from there by arrows.
  const reach = (visible) => {
    if (!visible.length || one(".rc-grid").contains(document.activeElement)) return;
    for (const item of answered()) button(item).tabIndex = item === visible[0] ? 0 : -1;
  };

  const filter = (kind) => {
    if (!run) return;
    run.kind = kind;
    for (const item of answered()) item.li.hidden = !fits(item, kind);
    count();
    tell(fill(data.words.shown, { count: shown().length, name: data.badges[kind] }));
  };

  const moved = (event) => {
    const visible = shown();
    const at = visible.findIndex((item) => button(item) === event.target);
    if (at < 0) return;
    const top = visible[0].li.offsetTop;
    const columns = visible.filter((item) => item.li.offsetTop === top).length;
    const to = {
      ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns,
      Home: 0, End: visible.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (visible[to]) focus(visible[to]);
  };

  const focus = (item) => {
    for (const other of answered()) button(other).tabIndex = other === item ? 0 : -1;
    button(item).focus();
  };

  const note = (mine, text, stays = false) => {
    if (mine !== run || (mine.stays && !stays)) return;
    mine.stays = Boolean(stays && text);
    if (one(".rc-note").textContent !== text) one(".rc-note").textContent = text;
    show(".rc-note", text);
  };

  const tell = (text) => { one(".rc-heard").textContent = text; };

  // --- one answer in full ---------------------------------------------------------------------

  const open = (item) => {
    const mine = run, dialog = one("dialog");
    mine.opened = item;
    one(".rc-opened h2").textContent = item.tile.file;
    const { kept, unkept } = item.tile;
    one(".rc-inside").replaceChildren(element("p", "", kept ? data.words.opening : unkept));
    show(".rc-again", !kept);
    steps();
    if (!dialog.open) dialog.showModal();
    one(".rc-opened h2").focus();
    dialog.scrollTop = 0;
    if (!kept) return;
    mine.opening = mine.opening.then(async () => {
      if (mine !== run || mine.opened !== item) return; // another was asked for since
      let found = null;
      try {
        found = await ask("triage_open", kept, `${mine.session}open`, mine.stop.signal);
      } catch { /* said below */ }
      if (mine !== run || mine.opened !== item) return;
      if (found) one(".rc-inside").innerHTML = found.html;
      else one(".rc-inside").replaceChildren(element("p", "", data.words.unopened));
      show(".rc-again", !found || found.gone || item.tile.kind === "unread");
    });
  };

  const steps = () => {
    const visible = shown(), at = visible.indexOf(run.opened);
    one(".rc-place").textContent = fill(data.words.place, { at: at + 1, all: visible.length });
    one(".rc-before").disabled = at <= 0;
    one(".rc-next").disabled = at < 0 || at === visible.length - 1;
  };

  const step = (by) => {
    const visible = shown(), to = visible[visible.indexOf(run?.opened) + by];
    if (to) open(to);
  };

  const closed = () => {
    one(".rc-inside").replaceChildren();
    const item = run?.opened;
    if (!item) return;
    run.opened = null;
    if (item.li?.isConnected && !item.li.hidden) focus(item);
  };

  const again = () => {
    const item = run.opened;
    run.opened = null;
    one("dialog").close();
    item.li.remove();
    Object.assign(item, { tile: null, li: null });
    run.waiting.unshift(item);
    count();
    go();
  };

  // --- all answers in one file ----------------------------------------------------------------

  const pack = async () => {
    const mine = run, status = one(".rc-packed"), session = `${mine.session}pack`;
    const signal = mine.stop.signal;
    mine.packing = true;
    count();
    try {
      for (const item of answered().filter((item) => item.tile.lost))
        item.tile.kept = (await ask("triage", { name: item.file.name }, session, signal)).kept;
      const tokens = answered().map((item) => item.tile.kept);
      status.textContent = fill(data.words.packing, { done: 0, of: tokens.length });
      const told = (word) => {
        if (mine === run && word.of) status.textContent = fill(data.words.packing, word);
      };
      const found = await ask("triage_pack", tokens, session, signal, told);
      if (mine !== run) return;
      const link = element("a", "", fill(data.words.save, {
        name: "realitycheck.zip",
        size: Math.max(0.1, found.bytes / 2 ** 20).toFixed(1).replace(".", data.point),
      }));
      link.href = `${api()}/file=${encodeURI(found.file)}`;
      link.download = "realitycheck.zip";
      const missing = found.missing ? fill(data.words.missing, found) : "";
      status.replaceChildren(data.words.packed, link, missing);
      link.click();
    } catch (error) {
      const why = error instanceof Refused ? error.message : data.words.unpacked;
      if (mine === run) status.textContent = why;
    } finally {
      mine.packing = false;
      if (mine === run) count();
    }
  };

  // --- the frame ------------------------------------------------------------------------------

  const draw = () => {
    one(".rc-grid").replaceChildren();
    one(".rc-packed").replaceChildren();
    show(".rc-note", false);
    tell("");
    for (const item of answered()) Object.assign(item, { li: null });
    for (const item of answered()) put(item);
    count();
  };

  const triage = (around) => {
    place = around.querySelector(".rc-triage");
    if (!place) return;
    data = JSON.parse(place.dataset.triage);
    const input = one(".rc-drop input"), dialog = one("dialog");
    input.addEventListener("change", () => {
      add([...input.files]);
      input.value = ""; // the same again is a change too
    });
    for (const name of ["dragenter", "dragover", "dragleave", "drop"])
      place.addEventListener(name, (event) => {
        event.preventDefault();
        one(".rc-drop").classList.toggle("rc-over", name === "dragenter" || name === "dragover");
      });
    place.addEventListener("drop", async (event) => add(await dropped(event.dataTransfer)));
    for (const chip of place.querySelectorAll(".rc-chip"))
      chip.addEventListener("click", () => filter(chip.dataset.kind));
    one(".rc-grid").addEventListener("keydown", moved);
    for (const [name, done] of [
      ["pack", pack], ["anew", anew], ["again", again], ["close", () => dialog.close()],
      ["before", () => step(-1)], ["next", () => step(1)],
    ])
      one(`.rc-${name}`).addEventListener("click", done);
    dialog.addEventListener("close", closed);
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("keydown", (event) => {
      if (event.target.matches("input")) return;
      if (event.key === "ArrowRight") step(1);
      if (event.key === "ArrowLeft") step(-1);
    });
    draw();
  };

  window.addEventListener("beforeunload", (event) => run?.lanes.size && event.preventDefault());
  Object.assign((window.realitycheck ??= {}), { triage });
})();
