// The review page: a grid of pictures, one selected, one key a decision.

import { Outbox } from "/static/outbox.js";

const byId = (id) => document.getElementById(id);
const grid = byId("grid");
const FILTERS = {
  all: () => true,
  undecided: (p) => p.state === "undecided",
  suggested: (p) => p.rule !== "",
  dropped: (p) => p.state === "drop",
};
const NOTHING = {
  all: "There is no picture in this data set.",
  undecided: "Every picture is decided. Ctrl+Enter finishes.",
  suggested: "We found nothing to drop.",
  dropped: "Nothing is dropped.",
};
const WORDS = { keep: "kept", drop: "dropped", undecided: "not decided" };

let pictures = [];      // all, in the server's order
let shown = [];         // those the filter lets through
let selected = null;    // the id of one of them
let filter = "all";
const cards = new Map();
const byPicture = new Map();
const outbox = new Outbox(hear);

// ---- drawing

function element(name, className, text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function card(p) {
  const made = element("div", "card");
  made.id = `card-${p.id}`;
  made.setAttribute("role", "option");
  const frame = element("div", "frame");
  if (p.problem) {
    frame.append(element("div", "broken", "no picture"));
  } else {
    const image = element("img", "");
    image.loading = "lazy";
    image.decoding = "async";
    image.alt = "";
    image.src = `/thumb/${p.id}`;
    frame.append(image);
  }
  const text = element("div", "text");
  const name = element("div", "name", p.name);
  name.title = p.file;
  text.append(name, element("div", "size", p.problem ? p.file : `${p.width} × ${p.height}`));
  if (p.rule) text.append(element("div", "why", why(p)));
  made.append(frame, element("div", "badge"), text);
  made.addEventListener("click", () => select(p.id));
  made.addEventListener("dblclick", openLoupe);
  return made;
}

function why(p) {
  return `drop? ${p.rule.replace("-", ", ")}: ${p.reason}${p.keeper ? `; ${p.keeper} stays` : ""}`;
}

function draw(p) {
  const c = cards.get(p.id);
  c.dataset.state = p.state;
  c.querySelector(".badge").textContent = { keep: "✓ keep", drop: "✕ drop", undecided: "" }[p.state];
  const hint = p.rule ? `, suggested: ${why(p)}` : "";
  c.setAttribute("aria-label", `${p.name}, ${WORDS[p.state]}${hint}`);
}

function drawCounts() {
  const decided = pictures.filter((p) => p.state !== "undecided").length;
  const dropped = pictures.filter((p) => p.state === "drop").length;
  byId("count").textContent = `${decided} of ${pictures.length} decided · ${dropped} dropped`;
  byId("progress").max = Math.max(1, pictures.length);
  byId("progress").value = decided;
  for (const button of byId("filters").children) {
    button.querySelector("b").textContent = pictures.filter(FILTERS[button.dataset.filter]).length;
    button.setAttribute("aria-checked", String(button.dataset.filter === filter));
    button.tabIndex = button.dataset.filter === filter ? 0 : -1;
  }
}

/** Show what the filter lets through; `wish` is the place to select when the selected one is gone. */
function arrange(wish = 0) {
  shown = pictures.filter(FILTERS[filter]);
  grid.replaceChildren(...shown.map((p) => cards.get(p.id)));
  byId("empty").hidden = shown.length > 0;
  byId("empty").textContent = NOTHING[filter];
  drawCounts();
  if (!shown.some((p) => p.id === selected)) selected = shown[Math.min(wish, shown.length - 1)]?.id ?? null;
  select(selected);
}

function select(id) {
  cards.get(selected)?.setAttribute("aria-selected", "false");
  for (const c of grid.querySelectorAll('[tabindex="0"]')) c.tabIndex = -1;
  selected = id;
  const chosen = cards.get(id);
  if (!chosen) {
    closeLoupe();
    return;
  }
  chosen.setAttribute("aria-selected", "true");
  chosen.tabIndex = 0;
  if (!document.querySelector("dialog[open]")) chosen.focus({ preventScroll: true });
  chosen.scrollIntoView({ block: "nearest" });
  drawLoupe();
}

function say(text) { byId("said").textContent = text; }

// ---- deciding

function decide(state) {
  const p = byPicture.get(selected);
  if (!p) return;
  const place = shown.indexOf(p);
  p.state = state;
  p.by = "person";
  draw(p);
  outbox.mark({ id: p.id, state });
  say(`${p.name}: ${WORDS[state]}`);
  if (FILTERS[filter](p)) {
    drawCounts();
    select(shown[Math.min(place + 1, shown.length - 1)].id);
  } else {
    arrange(place);
  }
}

function undone(mark) {
  if (!mark) {
    say("There is nothing to undo.");
    return;
  }
  const p = byPicture.get(mark.id);
  if (!p) return;
  p.state = mark.state;
  p.by = mark.by;
  draw(p);
  if (FILTERS[filter](p)) selected = swap(p.id);
  arrange(shown.length);
  say(`Undone. ${p.name}: ${WORDS[p.state]}`);
}

function swap(id) {
  cards.get(selected)?.setAttribute("aria-selected", "false");
  return id;
}

/** The outbox reports here. */
function hear(name, value) {
  const away = byId("away");
  if (name === "away") {
    away.hidden = false;
    away.textContent = `The server is away. ${value === 1 ? "1 mark waits" : `${value} marks wait`} in this page; go on, and leave it open.`;
  } else if (name === "waiting") {
    away.hidden = true;
  } else if (name === "refused") {
    away.hidden = false;
    away.textContent = `Not saved: ${value}`;
  } else if (name === "undo") {
    undone(value.mark);
  } else if (name === "finish") {
    over();
  }
}

function over() {
  const page = element("div", "over");
  page.append(element("h1", "", "Saved."), element("p", "quiet", "You can close this tab; the command goes on."));
  document.body.replaceChildren(page);
}

// ---- looking closer

const loupe = byId("loupe");

function openLoupe() {
  if (!byPicture.get(selected) || byPicture.get(selected).problem) return;
  loupe.showModal();
  drawLoupe();
}

function closeLoupe() {
  if (loupe.open) loupe.close();
}

function drawLoupe() {
  const p = byPicture.get(selected);
  if (!loupe.open || !p) return;
  loupe.dataset.state = p.state;
  const source = p.problem ? "" : `/picture/${p.id}`;
  const image = byId("loupe-image");
  if (image.getAttribute("src") !== source) image.setAttribute("src", source);
  image.alt = p.name;
  byId("loupe-name").textContent = p.name;
  byId("loupe-text").textContent = [`${p.width} × ${p.height}`, WORDS[p.state], p.rule && why(p)].filter(Boolean).join(" · ");
}

loupe.addEventListener("close", () => select(selected));
loupe.addEventListener("click", closeLoupe);

// ---- keys

function move(step) {
  const place = shown.findIndex((p) => p.id === selected);
  const target = Math.max(0, Math.min(shown.length - 1, place + step));
  if (shown.length) select(shown[target].id);
}

function columns() {
  return Math.max(1, getComputedStyle(grid).gridTemplateColumns.split(" ").length);
}

function setFilter(name) {
  filter = name;
  arrange();
  say(`Showing ${name}: ${shown.length}`);
}

function nextFilter() {
  const names = Object.keys(FILTERS);
  setFilter(names[(names.indexOf(filter) + 1) % names.length]);
}

const KEYS = {
  p: () => decide("keep"),
  x: () => decide("drop"),
  u: () => decide("undecided"),
  z: () => outbox.undo(),
  f: nextFilter,
  "?": () => byId("help").showModal(),
  enter: () => (loupe.open ? closeLoupe() : openLoupe()),
  arrowleft: () => move(-1),
  arrowright: () => move(1),
  arrowup: () => move(-columns()),
  arrowdown: () => move(columns()),
  home: () => move(-shown.length),
  end: () => move(shown.length),
};
const REPEATABLE = /^arrow/;   // a held X must not drop thirty maps a second

document.addEventListener("keydown", (event) => {
  const key = event.key.toLowerCase();
  const control = event.ctrlKey || event.metaKey;
  if (byId("help").open || event.altKey) return;
  if (control && key === "enter") {
    outbox.finish();
    event.preventDefault();
    return;
  }
  if (control && key !== "z") return;
  if (key === "enter" && event.target.closest("button")) return;
  if (key.startsWith("arrow") && event.target.closest("#filters")) return;
  const act = KEYS[key];
  if (!act || (event.repeat && !REPEATABLE.test(key))) return;
  event.preventDefault();
  act();
});

byId("filters").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) setFilter(button.dataset.filter);
});
byId("filters").addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step) return;
  const names = Object.keys(FILTERS);
  const name = names[(names.indexOf(filter) + step + names.length) % names.length];
  setFilter(name);
  byId("filters").querySelector(`[data-filter="${name}"]`).focus();
});
byId("help-button").addEventListener("click", () => byId("help").showModal());
byId("help-close").addEventListener("click", () => byId("help").close());
byId("finish-button").addEventListener("click", () => outbox.finish());
window.addEventListener("beforeunload", (event) => {
  if (outbox.waiting.length) event.preventDefault();
});

// ---- beginning

const answer = await (await fetch("/api/pictures")).json();
pictures = answer.pictures;
byId("dataset").textContent = answer.dataset;
for (const p of pictures) {
  byPicture.set(p.id, p);
  cards.set(p.id, card(p));
  draw(p);
}
selected = pictures.find((p) => p.state === "undecided")?.id ?? null;
arrange();
document.body.dataset.ready = "yes";
