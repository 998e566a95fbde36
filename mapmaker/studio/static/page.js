// What is seen: the selected picture, the grid, the dialogs over it, and moving about in them.

import { Compare } from "/static/compare.js";
import { Grid } from "/static/grid.js";
import { Loupe } from "/static/loupe.js";
import { Rules } from "/static/panels.js";
import { FILTERS } from "/static/state.js";
import { WORDS, copies, why } from "/static/words.js";

const byId = (id) => document.getElementById(id);
const NOTHING = {
  all: "There is no picture in this data set.",
  undecided: "Every picture is decided. Ctrl+Enter finishes.",
  suggested: "We found nothing to drop.",
  kept: "Nothing is kept yet. What is not dropped is kept in the end.",
  dropped: "Nothing is dropped.",
  groups: "No two pictures belong together.",
};

export class Page {
  /** opened(): the person double-clicked a picture. */
  constructor(pictures, opened) {
    this.pictures = pictures;
    this.current = null;
    this.place = 0;        // where the current picture stood when it was last in view
    const chosen = (p) => this.select(p);
    this.grid = new Grid(byId("scroller"), byId("grid"), pictures, { chosen, opened });
    this.loupe = new Loupe();
    this.compare = new Compare(pictures, chosen);
    this.rules = new Rules(pictures);
  }

  /** Return which keys hold: help, rules, loupe, compare or grid. */
  get mode() {
    if (byId("help").open) return "help";
    if (this.rules.open) return "rules";
    if (this.loupe.open) return "loupe";
    return this.compare.open ? "compare" : "grid";
  }

  say(text, wrong = false) {
    byId("said").textContent = text;
    byId("said").dataset.wrong = wrong ? "yes" : "";
    const dialog = document.querySelector("dialog[open] .said");
    if (dialog) dialog.textContent = text;
  }

  // ---- drawing

  select(p) {
    this.current = p ?? null;
    if (p && p.place >= 0) this.place = p.place;
    this.grid.select(this.current);
    this.drawCurrent();
  }

  drawCurrent() {
    const p = this.current;
    byId("now-name").textContent = p?.name ?? "";
    const size = p && (p.problem || `${p.width} × ${p.height}`);
    byId("now-facts").textContent = p ? [WORDS[p.state], size, p.file].join(" · ") : "";
    byId("now-why").textContent = p ? why(p) || kin(p) : "";
    byId("now-why").dataset.level = p?.level ?? "";
    if (!p) {
      this.loupe.close();
      this.compare.close();
    }
    if (this.loupe.open) this.enlarge();
    if (this.compare.open) this.compare.show(p);
  }

  enlarge() {
    const { current: p, pictures } = this;
    if (p) this.loupe.show(p, pictures.shown[p.place + 1], p.place + 1, pictures.shown.length);
  }

  drawCounts() {
    const { all, undecided, dropped } = this.pictures.counts;
    byId("count").textContent = `${all - undecided} of ${all} decided · ${dropped} dropped`;
    byId("progress").max = Math.max(1, all);
    byId("progress").value = all - undecided;
    for (const button of byId("filters").children) {
      const name = button.dataset.filter;
      button.lastElementChild.textContent = this.pictures.counts[name];
      button.setAttribute("aria-checked", String(name === this.pictures.filter));
      button.tabIndex = name === this.pictures.filter ? 0 : -1;
    }
  }

  /** Show what filter and search let through, and select what is left. */
  arrange() {
    const { pictures } = this;
    pictures.arrange();
    this.grid.show();
    byId("empty").hidden = pictures.shown.length > 0;
    const { search, filter } = pictures;
    const nothing = search ? `Nothing matches “${search}”. Esc shows all.` : NOTHING[filter];
    byId("empty").textContent = nothing;
    this.drawCounts();
    const gone = !this.current || this.current.place < 0;
    const next = pictures.shown[Math.min(this.place, pictures.shown.length - 1)];
    this.select(gone && !this.compare.open ? next : this.current);
  }

  /** Draw pictures whose marks have changed. */
  refresh(changed) {
    const passes = FILTERS[this.pictures.filter];
    if (changed.some((p) => p.place >= 0 !== passes(p))) {
      this.arrange();
    } else {
      for (const p of changed) this.grid.draw(p);
      this.drawCounts();
      if (changed.includes(this.current) || this.compare.open) this.drawCurrent();
    }
    if (this.rules.open) this.rules.draw();
  }

  // ---- moving

  move(step) {
    const { shown } = this.pictures;
    if (shown.length) this.select(shown[Math.max(0, Math.min(shown.length - 1, this.place + step))]);
  }

  /** Go sideways or up and down; the loupe pans when it shows pixels, comparing walks the group. */
  go(x, y) {
    const { mode } = this;
    if (mode === "rules") this.rules.move(y);
    else if (mode === "loupe") this.loupe.pan(x, y) || this.move(x || y);
    else if (mode === "compare" && x) this.within(x);
    else if (mode === "compare") this.nextGroup(this.current, y);
    else this.move(x + y * this.grid.columns);
  }

  /** Go to another picture of the group that is compared. */
  within(step) {
    const members = this.current.family;
    const at = members.indexOf(this.current) + step;
    this.select(members[Math.max(0, Math.min(members.length - 1, at))]);
  }

  page(step) {
    const { mode } = this;
    if (mode === "compare") this.within(step * this.compare.perPage());
    else this.move(mode === "loupe" ? step : step * this.grid.columns * this.grid.rows);
  }

  end(step) {
    const { mode } = this;
    if (mode === "rules") this.rules.move(step * Infinity);
    else if (mode === "compare") this.within(step * this.current.family.length);
    else this.move(step * this.pictures.shown.length);
  }

  /** Go to the next group that is not decided yet (step -1: the group before). */
  nextGroup(from, step = 1) {
    // With a filter the group may be gone from view; go on from where it stood.
    const start = !from || from.place >= 0 ? from : { family: from.family, place: this.place - step };
    const next = this.pictures.group(start, step);
    if (next) {
      this.select(next);
      return;
    }
    this.say(`${byId("said").textContent} No further group is open.`.trim());
    if (this.compare.open && step > 0) this.compare.close();
  }

  setFilter(name) {
    this.pictures.filter = name;
    this.arrange();
    this.say(`Showing ${name}: ${this.pictures.shown.length}`);
  }

  nextFilter(step) {
    const names = Object.keys(FILTERS);
    this.setFilter(names[(names.indexOf(this.pictures.filter) + step + names.length) % names.length]);
  }

  setSearch(text) {
    this.pictures.search = text;
    if (byId("search").value !== text) byId("search").value = text;
    this.arrange();
  }

  /** Go one step back: close what lies on top, or show everything again. */
  back() {
    const { mode } = this;
    if (mode !== "grid") this[mode].close();
    else if (this.pictures.search || this.pictures.filter !== "all") {
      this.pictures.search = byId("search").value = "";
      this.setFilter("all");
    }
  }

  toGrid() {
    this.rules.close();
    this.loupe.close();
    this.compare.close();
    this.focus();
  }

  focus() { byId("grid").focus({ preventScroll: true }); }
}

function kin(p) {
  if (p.copies[0] === p) return `Stays for ${copies(p.copies.length - 1)}. B compares them.`;
  return p.family.length > 1 ? `One of ${p.family.length} that belong together. B compares them.` : "";
}
