// The review page: one picture selected, one key a decision. This file ties the parts together.

import { Deciding } from "/static/deciding.js";
import { KEYS, meaning } from "/static/keys.js";
import { Page } from "/static/page.js";
import { showSheet } from "/static/panels.js";
import { Pictures } from "/static/state.js";
import { WORDS, copies, rule } from "/static/words.js";

const byId = (id) => document.getElementById(id);
const MANY = 8;   // a larger group is dropped at the second press only

const asked = ["/api/pictures", "/api/marks"].map((path) => fetch(path).then((answer) => answer.json()));
const [board, told] = await Promise.all(asked).catch(() => {
  byId("empty").textContent = "The server does not answer. Start the command again, then load this page again.";
  byId("empty").hidden = false;
  return new Promise(() => {});   // there is nothing to go on with
});
const pictures = new Pictures(board);
const page = new Page(pictures, () => acts.loupe());
const deciding = new Deciding(pictures, board, hear);
let goesOn = localStorage.getItem("mapmaker/goes-on") !== "no";
let warned = null;        // the group whose dropping waits for a second press

// ---- deciding

function decide(state) {
  const p = page.current;
  if (!p) return;
  const no = state === "drop" ? pictures.protects([p]) : "";
  if (no) {
    page.say(no, true);
    return;
  }
  const changed = deciding.mark([p], state);
  page.say(`${p.name}: ${WORDS[state]}`);
  page.refresh(changed);
  if (!goesOn) return;
  if (page.mode === "compare") goOnComparing(p);
  else if (p.place >= 0) page.move(1);
}

/** Go to what is left to decide of the group, then to the next one. */
function goOnComparing(p) {
  const at = p.family.indexOf(p);
  const rest = [...p.family.slice(at + 1), ...p.family.slice(0, at)];
  const next = rest.find((m) => m.state === "undecided");
  if (next) page.select(next);
  else page.nextGroup(p);
}

/** Mark a whole group as one step and go to the next. */
function together(steps, text) {
  const from = page.current;
  const changed = deciding.step(steps, { whole: true });
  page.say(text);
  page.refresh(changed);
  page.nextGroup(from);
}

function keepOne() {
  const p = page.current;
  const others = p ? [...p.copies, ...p.parts].filter((m) => m !== p) : [];
  if (!others.length) {
    page.say(p ? `${p.name} has no copies here.` : "", true);
    return;
  }
  const steps = [[p, "keep"], ...others.map((m) => [m, "drop"])];
  together(steps, `${p.name}: kept; ${copies(others.length)} or parts dropped.`);
}

function dropGroup() {
  const p = page.current;
  if (!p || p.family.length < 2) {
    page.say(p ? `${p.name} is in no group; X drops it.` : "", true);
    return;
  }
  if (p.family.length > MANY && warned !== p.family) {
    page.say(`That drops all ${p.family.length} of this group. Shift+X again does it.`, true);
    warned = p.family;
    return;
  }
  together(p.family.map((m) => [m, "drop"]), `All ${p.family.length} of this group dropped. Z takes it back.`);
}

function accept() {
  const found = page.rules.chosen;
  if (!found?.open.length) return;
  const going = new Set(found.open);
  for (const p of found.open) {
    if (p.clusters.some((c) => c.every((m) => m.state === "drop" || going.has(m)))) going.delete(p);
  }
  const left = found.open.length - going.size;
  const changed = deciding.mark([...going], "drop", { rule: found.rule });
  const stay = left ? ` ${left} stay: nothing else is left of their maps.` : "";
  page.say(`${changed.length} dropped: ${rule(found)}. Z takes them back.${stay}`);
  page.refresh(changed);
}

/** Show what an undo or redo has changed; null: the server knows, and `landed` brings it. */
function turned(kind, changed) {
  if (!changed) return;
  if (!changed.length) {
    page.say(`There is nothing to ${kind}.`);
    return;
  }
  page.refresh(changed);
  const p = changed.find((m) => m.place >= 0);
  if (p && (!page.compare.open || p.family.length > 1)) page.select(p);
  const [first] = changed;
  const what = changed.length > 1 ? `${changed.length} pictures` : `${first.name}: ${WORDS[first.state]}`;
  page.say(`${kind === "undo" ? "Undone" : "Done again"}. ${what}`);
}

// ---- hearing from the server

function hear(what, value) {
  if (what === "changed") page.refresh(value);
  if (what === "landed") turned(value.kind, value.pictures);
  if (what === "refused") page.say(value, true);
  if (what === "finished") over();
  if (what === "stale") location.reload();
  if (what === "full") page.say("This browser keeps no more: leave this tab open, marks wait in it.", true);
  const away = byId("away");
  if (what === "away") {
    const waits = value.waiting === 1 ? "1 step waits" : `${value.waiting} steps wait`;
    const soothing = "Go on: all is kept, also over a reload, and sent when it is back.";
    away.textContent = value.why || `The server is away; ${waits} here. ${soothing}`;
    away.hidden = false;
  } else if ((what === "waiting" && !value) || what === "there") {
    away.hidden = true;
  }
}

function over() {
  const end = document.createElement("main");
  end.className = "over";
  const { all, dropped } = pictures.counts;
  const lines = {
    "Saved.": "h1",
    [`${all - dropped} kept, ${dropped} dropped.`]: "p",
    "You can close this tab; the command goes on.": "p",
  };
  for (const [text, name] of Object.entries(lines)) {
    const line = document.createElement(name);
    line.textContent = text;
    end.append(line);
  }
  deciding.end();
  document.body.replaceChildren(end);
}

// ---- what the keys do

const acts = {
  keep: () => decide("keep"),
  drop: () => decide("drop"),
  clear: () => decide("undecided"),
  undo: () => turned("undo", deciding.undo()),
  redo: () => turned("redo", deciding.redo()),
  advance: () => {
    goesOn = !goesOn;
    localStorage.setItem("mapmaker/goes-on", goesOn ? "yes" : "no");
    page.say(goesOn ? "A mark goes on to the next picture." : "A mark stays on its picture.");
  },
  keepOne,
  dropGroup,
  accept,
  compare: () => {
    const p = page.current;
    if (page.mode === "compare") {
      page.compare.close();
    } else if (p && p.family.length > 1) {
      page.loupe.close();
      page.compare.show(p);
    } else {
      page.say(p ? `${p.name} is in no group. N goes to the next one.` : "", true);
    }
  },
  nextGroup: () => page.nextGroup(page.current, 1),
  lastGroup: () => page.nextGroup(page.current, -1),
  rules: () => (page.rules.open ? page.rules.close() : page.rules.show()),
  left: () => page.go(-1, 0),
  right: () => page.go(1, 0),
  up: () => page.go(0, -1),
  down: () => page.go(0, 1),
  pageUp: () => page.page(-1),
  pageDown: () => page.page(1),
  first: () => page.end(-1),
  last: () => page.end(1),
  loupe: () => (page.loupe.open ? page.loupe.close() : page.enlarge()),
  zoom: () => (page.loupe.open ? page.loupe.zoom() : page.compare.zoom()),
  filter: () => page.nextFilter(1),
  filterBack: () => page.nextFilter(-1),
  search: () => {
    page.toGrid();
    byId("search").select();
  },
  grid: () => page.toGrid(),
  back: () => page.back(),
  only: () => {
    const found = page.rules.chosen;
    page.toGrid();
    pictures.filter = "all";
    if (found) page.setSearch(`rule:${found.rule}`);
  },
  help: showSheet,
  finish: () => {
    page.say("Saving …");
    deciding.finish();
  },
};

const unbound = KEYS.filter((key) => !acts[key.act]);
if (unbound.length) throw new Error(`keys that do nothing: ${unbound.map((key) => key.act)}`);

document.addEventListener("keydown", (event) => {
  if (event.target.closest("input")) return;
  if (/^(Enter| )$/.test(event.key) && event.target.closest("button") && !event.ctrlKey) return;
  if (event.key.startsWith("Arrow") && event.target.closest("#filters")) return;
  if (page.mode === "help") {
    if (!["?", "Escape"].includes(event.key)) return;
    event.preventDefault();
    byId("help").close();
    return;
  }
  const key = meaning(event, page.mode);
  if (!key) return;
  event.preventDefault();
  if (event.repeat && !key.held) return;
  if (key.act !== "dropGroup") warned = null;
  acts[key.act]();
});

for (const button of document.querySelectorAll("[data-act]")) {
  button.addEventListener("click", () => {
    acts[button.dataset.act]();
    if (page.mode === "grid" && button.dataset.act !== "search") page.focus();
  });
}
byId("filters").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) page.setFilter(button.dataset.filter);
});
byId("filters").addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step) return;
  page.nextFilter(step);
  byId("filters").querySelector("[tabindex='0']").focus();
});
byId("search").addEventListener("input", () => page.setSearch(byId("search").value));
byId("search").addEventListener("keydown", (event) => {
  if (!["Enter", "Escape", "ArrowDown"].includes(event.key)) return;
  event.preventDefault();
  if (event.key === "Escape") page.setSearch("");
  page.focus();
});
byId("help-close").addEventListener("click", () => byId("help").close());
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("cancel", (event) => event.preventDefault());   // Esc is in the table of keys
  dialog.addEventListener("close", () => {
    if (page.mode === "grid") page.focus();
    if (page.current?.place < 0 && !page.compare.open) page.arrange();
    else page.drawCurrent();
  });
}

// ---- beginning

byId("dataset").textContent = board.dataset;
document.title = `${board.dataset} · review`;
deciding.begin(told);
page.current = pictures.all.find((p) => p.state === "undecided") ?? null;
page.arrange();
page.focus();
document.body.dataset.ready = "yes";
