// The grid: only what is on the screen is in the page, so ten thousand pictures cost what thirty do.

import { hint, label, short } from "/static/words.js";

const GAP_PX = 12;
const TEXT_PX = 48;
const OVER = 1;             // rows drawn beyond each edge
const SETTLE_MS = 60;       // a fast scroll asks for no pictures until it rests
const BADGES = { keep: "✓ keep", drop: "✕ drop", undecided: "" };

export class Grid {
  /** scroller holds box, the listbox; chosen(picture) and opened(picture) on click and double click. */
  constructor(scroller, box, pictures, { chosen, opened }) {
    Object.assign(this, { scroller, box, pictures, selected: null });
    this.cells = new Map();   // place -> cell
    this.old = new Map();     // picture -> cell, while everything is put in its new place
    this.spare = [];
    this.measure();
    new ResizeObserver(() => { this.measure(); this.show(); }).observe(scroller);
    scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    const under = (event) => this.pictures.shown[event.target.closest(".cell")?.dataset.place];
    box.addEventListener("click", (event) => under(event) && chosen(under(event)));
    box.addEventListener("dblclick", (event) => under(event) && opened(under(event)));
  }

  /** Work out columns and sizes from the room there is. */
  measure() {
    const width = this.box.clientWidth;
    const least = width < 600 ? 150 : 186;
    this.columns = Math.max(1, Math.floor((width + GAP_PX) / (least + GAP_PX)));
    this.cell = Math.floor((width - GAP_PX * (this.columns - 1)) / this.columns);
    this.row = this.cell + TEXT_PX + GAP_PX;
    this.rows = Math.max(1, Math.floor(this.scroller.clientHeight / this.row));
    this.box.style.setProperty("--cell", `${this.cell}px`);
  }

  /** Draw what is in view anew: after a filter, a search, or a change of size. */
  show() {
    this.old = new Map([...this.cells.values()].map((cell) => [cell.picture, cell]));
    this.cells.clear();
    const rows = Math.ceil(this.pictures.shown.length / this.columns);
    this.box.style.height = `${Math.max(0, rows * this.row - GAP_PX)}px`;
    this.view(true);
    for (const cell of this.old.values()) this.retire(cell);
    this.old.clear();
  }

  scrolled() {
    if (this.framed) return;
    this.framed = true;
    requestAnimationFrame(() => {
      this.framed = false;
      const slow = Math.abs(this.scroller.scrollTop - this.lastTop) < this.row * 2;
      this.view(slow);
      clearTimeout(this.settling);
      if (!slow) this.settling = setTimeout(() => this.view(true), SETTLE_MS);
    });
  }

  /** Put the cells that are in view in place; with pictures when `load`. */
  view(load) {
    const top = this.scroller.scrollTop;
    this.lastTop = top;
    const first = Math.max(0, Math.floor(top / this.row) - OVER) * this.columns;
    const last = Math.min(
      this.pictures.shown.length,
      (Math.ceil((top + this.scroller.clientHeight) / this.row) + OVER) * this.columns,
    );
    for (const place of [...this.cells.keys()]) if (place < first || place >= last) this.release(place);
    for (let place = first; place < last; place += 1) {
      const cell = this.cells.get(place) ?? this.place(place);
      const p = cell.picture;
      if (load && !cell.image.src && !p.problem) cell.image.src = `/thumb/${p.id}`;
    }
  }

  place(place) {
    const p = this.pictures.shown[place];
    const cell = this.old.get(p) ?? this.spare.pop() ?? makeCell();
    this.old.delete(p);
    cell.picture = p;
    const { node } = cell;
    node.id = `cell-${p.n}`;
    node.dataset.place = place;
    node.setAttribute("aria-posinset", place + 1);
    node.setAttribute("aria-setsize", this.pictures.shown.length);
    const x = (place % this.columns) * (this.cell + GAP_PX);
    node.style.transform = `translate(${x}px, ${Math.floor(place / this.columns) * this.row}px)`;
    cell.name.textContent = short(p.name);
    node.dataset.kin = this.kin(p, place);
    node.dataset.shade = p.shade;
    if (p.problem) node.dataset.broken = "";
    else delete node.dataset.broken;
    this.cells.set(place, cell);
    this.draw(p);
    if (!node.isConnected) this.box.append(node);
    return cell;
  }

  /** Where a picture stands in its family's row of cells: "", first, middle or last. */
  kin(p, place) {
    if (p.family.length < 2) return "";
    const before = this.pictures.shown[place - 1]?.family === p.family;
    const after = this.pictures.shown[place + 1]?.family === p.family;
    if (!before && !after) return "";
    return before ? (after ? "middle" : "last") : "first";
  }

  release(place) {
    this.retire(this.cells.get(place));
    this.cells.delete(place);
  }

  retire(cell) {
    cell.image.src = "";   // a download that is no longer wanted stops
    cell.image.removeAttribute("src");
    cell.node.remove();
    this.spare.push(cell);
  }

  /** Draw one picture's state, if it is in view. */
  draw(p) {
    const cell = this.cells.get(p.place);
    if (!cell) return;
    cell.node.dataset.state = p.state;
    cell.node.dataset.badge = BADGES[p.state];
    cell.node.setAttribute("aria-selected", String(p === this.selected));
    cell.node.setAttribute("aria-label", label(p));
    const [level, text] = hint(p);
    cell.why.dataset.level = level;
    cell.why.textContent = text;
  }

  /** Make p the selected one and bring it into view. */
  select(p) {
    const before = this.selected;
    this.selected = p;
    if (before && before !== p) this.draw(before);
    if (!p || p.place < 0) {
      this.box.removeAttribute("aria-activedescendant");
      return;
    }
    const top = Math.floor(p.place / this.columns) * this.row;
    const room = this.scroller.clientHeight - this.row;
    const now = this.scroller.scrollTop;
    const wanted = Math.min(Math.max(now, top - Math.max(room, 0)), top);
    if (wanted !== now) {
      this.scroller.scrollTop = wanted;
      this.view(Math.abs(wanted - now) < 3 * this.row);
    }
    this.draw(p);
    this.box.setAttribute("aria-activedescendant", `cell-${p.n}`);
  }
}

function makeCell() {
  const node = document.createElement("div");
  node.className = "cell";
  node.setAttribute("role", "option");
  const image = document.createElement("img");
  image.alt = "";
  image.decoding = "async";
  image.draggable = false;
  const name = document.createElement("b");
  const why = document.createElement("i");
  node.append(image, name, why);
  return { node, image, name, why, picture: null };
}
