// A group side by side: what each picture is to the one that stays, all at one scale.

import { source } from "/static/loupe.js";
import { WORDS, level, rule, whole } from "/static/words.js";

const byId = (id) => document.getElementById(id);
const TEXT_PX = 92;
const KINDS = {
  exact: "the same pixels", reencode: "saved again", resized: "another size",
  dpi: "another resolution", turned: "turned or mirrored", watermark: "with a watermark",
  crop: "a part", grid: "with or without a grid", lighting: "another light",
  recolour: "other colours", floor: "another floor",
};

export class Compare {
  /** chosen(picture): the person pointed at one. */
  constructor(pictures, chosen) {
    this.pictures = pictures;
    this.box = byId("compare");
    this.room = byId("compare-room");
    this.oneSize = false;
    this.images = new Map();   // of the panels drawn, so that a mark loads nothing again
    this.room.addEventListener("click", (event) => {
      const panel = event.target.closest(".panel");
      if (panel) chosen(this.pictures.all[panel.dataset.n]);
    });
    new ResizeObserver(() => this.open && this.p && this.draw()).observe(this.room);
  }

  get open() { return this.box.open; }

  /** Return the group of p in the order shown: a keeper, its copies, then the others. */
  members(p) { return p.family; }

  show(p) {
    this.p = p;
    if (!this.box.open) this.box.showModal();
    this.draw();
  }

  close() {
    if (this.box.open) this.box.close();
    this.p = null;
    this.images.clear();
    this.room.replaceChildren();
  }

  zoom() {
    this.oneSize = !this.oneSize;
    this.draw();
  }

  /** Draw the page of panels that holds p. */
  draw() {
    const members = this.members(this.p);
    const many = this.perPage();
    const first = Math.floor(members.indexOf(this.p) / many) * many;
    const page = members.slice(first, first + many);
    const columns = Math.min(page.length, this.columns(page.length));
    const rows = Math.ceil(page.length / columns);
    this.room.style.setProperty("--columns", columns);
    const width = this.room.clientWidth / columns - 26;
    const height = this.room.clientHeight / rows - TEXT_PX - 26;
    const shapes = page.map((m) => this.shape(m));
    const fits = shapes.map(([w, h]) => Math.min(width / w, height / h));
    const scale = Math.min(...fits, 1 / devicePixelRatio);
    const drawn = (i) => (this.oneSize ? fits[i] : scale);
    this.room.replaceChildren(...page.map((m, i) => this.panel(m, shapes[i], drawn(i))));
    for (const m of this.images.keys()) if (!page.includes(m)) this.images.delete(m);
    const last = first + page.length;
    byId("compare-place").textContent = `${first + 1}-${last} of ${members.length}`;
    const percent = Math.round(scale * devicePixelRatio * 100);
    byId("compare-scale").textContent = this.oneSize ? "one size for all" : `one scale for all, ${percent} %`;
  }

  perPage() { return this.room.clientWidth < 600 ? 2 : this.room.clientWidth < 1000 ? 4 : 6; }

  columns(count) {
    if (this.room.clientWidth < 600) return 1;
    return count <= 3 ? count : count === 4 ? 2 : 3;
  }

  /** Return [width, height, how to turn it] so that it lies as the one that stays. */
  shape(m) {
    const turn = this.turn(m);
    return turn & 4 ? [m.height, m.width, turn] : [m.width, m.height, turn];
  }

  anchor(m) { return m.keeper ?? m.family.find((other) => other.copies[0] === other) ?? m.family[0]; }

  turn(m) {
    const anchor = this.anchor(m);
    const relation = anchor === m ? undefined : this.pictures.relation(anchor, m);
    return relation?.orientation ?? 0;
  }

  /** Return the CSS that turns m as the one that stays lies: transposed first, then mirrored. */
  css(m) {
    const turn = this.turn(m);
    if (!turn) return "none";
    const mirrored = `scale(${turn & 1 ? -1 : 1}, ${turn & 2 ? -1 : 1})`;
    const transposed = turn & 4 ? "matrix(0, 1, 1, 0, 0, 0)" : "";
    const relation = this.pictures.relation(this.anchor(m), m);
    // An orientation turns `other` as `one` lies; from the other side everything is the other way.
    return relation.other === m.n ? `${mirrored} ${transposed}` : `${transposed} ${mirrored}`;
  }

  panel(m, [width, height, turn], scale) {
    const panel = document.createElement("figure");
    panel.className = "panel";
    panel.dataset.n = m.n;
    panel.dataset.state = m.state;
    panel.setAttribute("aria-current", String(m === this.p));
    const frame = document.createElement("div");
    frame.className = "frame";
    Object.assign(frame.style, { width: `${width * scale}px`, height: `${height * scale}px` });
    if (m.problem) {
      frame.textContent = m.problem;
    } else {
      const image = this.image(m);
      const size = { width: `${m.width * scale}px`, height: `${m.height * scale}px` };
      Object.assign(image.style, size, { transform: this.css(m) });
      frame.append(image);
    }
    const text = document.createElement("figcaption");
    const name = document.createElement("b");
    name.textContent = m.name;
    const facts = document.createElement("span");
    const size = m.problem ? "" : `${m.width} × ${m.height}`;
    facts.textContent = said([WORDS[m.state], size, turn ? "turned to match" : ""], " · ");
    const what = document.createElement("i");
    what.dataset.level = m.rule ? m.level : m.copies[0] === m || m.parts.length ? "stays" : "";
    what.textContent = this.what(m);
    text.append(name, facts, what);
    panel.append(frame, text);
    return panel;
  }

  image(m) {
    if (!this.images.has(m)) {
      const image = document.createElement("img");
      image.alt = m.name;
      image.decoding = "async";
      image.src = source(m);
      this.images.set(m, image);
    }
    return this.images.get(m);
  }

  /** Say what a picture is to the one that stays, and why we suggest what we suggest. */
  what(m) {
    const anchor = this.anchor(m);
    const relation = anchor === m ? undefined : this.pictures.relation(anchor, m);
    const kind = relation ? [KINDS[relation.kind] ?? relation.kind, relation.note] : [];
    if (!m.rule && m.copies[0] === m) return `stays for ${m.copies.length - 1} of these`;
    if (!m.rule && m.parts.length) return whole(m);
    if (!m.rule) return said(kind, ": ") || "in this group";
    return said([`${level(m)} ${rule(m)}`, m.reason, ...kind, ...m.also], " · ");
  }
}

/** Join what says something that was not said before. */
function said(parts, between) {
  const isNew = (part, n) => part && !parts.slice(0, n).some((before) => before.includes(part));
  return parts.filter(isNew).join(between);
}
