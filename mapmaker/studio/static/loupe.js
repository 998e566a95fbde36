// One picture as large as the screen, or pixel for pixel.

import { WORDS, why } from "/static/words.js";

const byId = (id) => document.getElementById(id);
const STEP = 0.2;   // of the screen, a press of an arrow

export class Loupe {
  constructor() {
    this.box = byId("loupe");
    this.room = byId("loupe-room");
    this.image = byId("loupe-image");
    this.whole = true;
    this.at = [0.5, 0.5];   // what is in the middle of the screen, as a share of the picture
    this.next = new Image();
    this.image.addEventListener("load", () => this.fit());
    this.image.addEventListener("click", (event) => {
      const area = this.image.getBoundingClientRect();
      this.at = [(event.clientX - area.left) / area.width, (event.clientY - area.top) / area.height];
      this.zoom();
    });
    new ResizeObserver(() => this.fit()).observe(this.room);
  }

  get open() { return this.box.open; }

  /** Show p; then get `next` ready. */
  show(p, next, place, count) {
    if (!this.box.open) this.box.showModal();
    this.box.dataset.state = p.state;
    if (this.picture !== p) {
      this.picture = p;
      this.at = [0.5, 0.5];
      this.room.style.backgroundImage = p.problem ? "none" : `url("/thumb/${p.id}")`;
      this.image.hidden = Boolean(p.problem);
      this.image.src = p.problem ? "" : source(p);
      this.image.alt = p.name;
      this.fit();
    }
    if (next && !next.problem) this.next.src = source(next);
    byId("loupe-name").textContent = p.name;
    byId("loupe-state").textContent = WORDS[p.state];
    byId("loupe-size").textContent = p.problem || `${p.width} × ${p.height}`;
    byId("loupe-place").textContent = `${place} of ${count}`;
    byId("loupe-why").textContent = why(p);
  }

  close() {
    if (this.box.open) this.box.close();
    this.picture = null;
    this.image.src = "";
  }

  /** Whole picture or pixel for pixel. */
  zoom() {
    this.whole = !this.whole;
    this.fit();
  }

  /** Move what is seen; return false when there is nothing to move. */
  pan(x, y) {
    if (this.whole) return false;
    const { width, height } = this.size();
    this.at[0] += (x * STEP * this.room.clientWidth) / width;
    this.at[1] += (y * STEP * this.room.clientHeight) / height;
    this.fit();
    return true;
  }

  /** Return the drawn size: one picture pixel on one pixel of the screen, or all that fits. */
  size() {
    const { width, height } = this.picture;
    const { clientWidth, clientHeight } = this.room;
    const whole = Math.min(clientWidth / width, clientHeight / height, 4 / devicePixelRatio);
    const scale = this.whole ? whole : 1 / devicePixelRatio;
    return { width: width * scale, height: height * scale, scale };
  }

  fit() {
    if (!this.picture || this.picture.problem) return;
    const { width, height, scale } = this.size();
    const corner = [width, height].map((side, axis) => {
      const room = axis ? this.room.clientHeight : this.room.clientWidth;
      if (side <= room) {
        this.at[axis] = 0.5;
        return (room - side) / 2;
      }
      const start = Math.min(0, Math.max(room - side, room / 2 - this.at[axis] * side));
      this.at[axis] = (room / 2 - start) / side;
      return start;
    });
    const place = `${Math.round(corner[0])}px ${Math.round(corner[1])}px`;
    Object.assign(this.image.style, { width: `${width}px`, height: `${height}px`, translate: place });
    Object.assign(this.room.style, { backgroundSize: `${width}px ${height}px`, backgroundPosition: place });
    this.image.dataset.zoom = this.whole ? "whole" : "pixels";
    byId("loupe-scale").textContent = `${Math.round(scale * devicePixelRatio * 100)} %`;
  }
}

export function source(p) {
  return `/picture/${p.id}`;
}
