// The sheet of keys and the list of rules.

import { KEYS, written } from "/static/keys.js";
import { rule } from "/static/words.js";

const byId = (id) => document.getElementById(id);

/** Open the ? sheet, drawn from the table of keys. */
export function showSheet() {
  if (!byId("sheet").childElementCount) fillSheet();
  byId("help").showModal();
}

function fillSheet() {
  const parts = new Map();
  for (const key of KEYS) {
    if (!parts.has(key.part)) parts.set(key.part, []);
    parts.get(key.part).push(key);
  }
  byId("sheet").replaceChildren(...[...parts].map(([part, keys]) => {
    const section = document.createElement("section");
    const title = document.createElement("h3");
    title.textContent = part;
    const list = document.createElement("dl");
    for (const key of keys) {
      const names = document.createElement("dt");
      names.append(...key.keys.filter((k) => !k.match(/^shift\+[hjl]$/)).map(keycap));
      const text = document.createElement("dd");
      text.textContent = key.text;
      list.append(names, text);
    }
    section.append(title, list);
    return section;
  }));
}

function keycap(name) {
  const cap = document.createElement("kbd");
  cap.textContent = written(name);
  cap.dataset.key = name;
  return cap;
}

export class Rules {
  /** accept(rule): drop all it suggests; only(rule): show these alone. */
  constructor(pictures) {
    this.pictures = pictures;
    this.box = byId("rules");
    this.list = byId("rules-list");
    this.at = 0;
    this.list.addEventListener("click", (event) => {
      const place = [...this.list.children].indexOf(event.target.closest("li"));
      if (place >= 0) this.move(place - this.at);
    });
  }

  get open() { return this.box.open; }

  show() {
    this.draw();
    if (!this.box.open) this.box.showModal();
    this.list.focus();
  }

  close() { if (this.box.open) this.box.close(); }

  move(step) {
    this.at = Math.max(0, Math.min(this.found.length - 1, this.at + step));
    this.draw();
  }

  /** Return the rule the person points at, or undefined. */
  get chosen() { return this.found[this.at]; }

  draw() {
    this.found = this.pictures.rules();
    this.at = Math.min(this.at, Math.max(0, this.found.length - 1));
    byId("rules-none").hidden = this.found.length > 0;
    this.list.replaceChildren(...this.found.map((found, n) => {
      const item = document.createElement("li");
      item.id = `rule-${n}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", String(n === this.at));
      item.dataset.level = found.level;
      const name = document.createElement("b");
      name.textContent = rule(found);
      const level = document.createElement("span");
      level.textContent = found.level === "drop" ? "drop?" : "look first";
      const counts = document.createElement("i");
      const { open, total } = found;
      counts.textContent = open.length ? `${open.length} of ${total} open` : `all ${total} decided`;
      item.append(level, name, counts);
      return item;
    }));
    this.list.setAttribute("aria-activedescendant", `rule-${this.at}`);
    this.list.children[this.at]?.scrollIntoView({ block: "nearest" });
  }
}
