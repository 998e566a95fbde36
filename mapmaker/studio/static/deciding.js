// Marks, undo and redo: drawn at once, sent in order, set right by what the server answers.

import { LETTERS } from "/static/state.js";
import { Outbox, ours } from "/static/outbox.js";

const POLL_MS = 1500;
const ELSEWHERE = Symbol("a step this tab has not made");

export class Deciding {
  /** hear(what, value): changed (pictures), landed (kind, pictures), refused (text), away, waiting,
   * full, there, finished, stale.
   */
  constructor(pictures, board, hear) {
    this.pictures = pictures;
    this.edition = board.edition;
    this.hear = hear;
    this.seq = 0;
    this.past = [];      // {name, changes: [[picture, before, after]]}, or ELSEWHERE
    this.future = [];
    this.outbox = new Outbox(board.key, () => this.seq, (what, value) => this.heard(what, value));
    this.tabs = "BroadcastChannel" in window ? new BroadcastChannel(this.outbox.prefix) : null;
    this.tabs?.addEventListener("message", (event) => this.told(event.data));
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      this.outbox.settle();
      this.resync();
    });
  }

  /** Draw what the server knows, and over it what it has not taken yet; then follow it. */
  begin(told) {
    this.replace(told);
    this.outbox.pump();
    this.polls = setInterval(() => { if (!document.hidden) this.poll(); }, POLL_MS);
  }

  /** Ask no more. */
  end() { clearInterval(this.polls); }

  /** Mark pictures as one step; return those that changed. more: {whole, rule} for the server. */
  mark(pictures, state, more = {}) {
    return this.step(pictures.map((p) => [p, state]), more);
  }

  /** Mark each [picture, state], as one step. */
  step(wanted, more = {}) {
    const changing = wanted.filter(([p, state]) =>
      p.letter !== LETTERS[state] && (p.state !== state || state !== "undecided"));
    if (!changing.length) return [];
    const changes = changing.map(([p, state]) => [p, p.letter, LETTERS[state]]);
    const step = { kind: "mark", ...more };
    for (const [p, state] of changing) (step[state] ??= []).push(p.id);
    for (const [p, , after] of changes) this.pictures.set(p, after);
    this.past.push({ name: this.outbox.push(step, changes.map(([p]) => p.id)), changes });
    this.future = [];
    return changes.map(([p]) => p);
  }

  /** Undo the last step; return the pictures it was about, or null when only the server knows. */
  undo() { return this.turn("undo", this.past, this.future); }

  /** Redo what was undone last; returns as undo. */
  redo() { return this.turn("redo", this.future, this.past); }

  turn(kind, from, to) {
    const step = from.pop() ?? ELSEWHERE;
    if (step === ELSEWHERE) {
      this.outbox.push({ kind });
      return null;
    }
    this.outbox.push({ kind, of: step.name }, step.changes.map(([p]) => p.id));
    to.push(step);
    for (const [p, before, after] of step.changes) {
      const [now, then] = kind === "undo" ? [after, before] : [before, after];
      if (p.letter === now) this.pictures.set(p, then);
    }
    return step.changes.map(([p]) => p);
  }

  finish() { this.outbox.finish(); }

  heard(what, value) {
    if (what === "taken") {
      this.tabs?.postMessage({ answer: value });
      this.taken(value);
    } else if (what === "refused") {
      this.tabs?.postMessage({ refused: value.names });
      this.resync();
      this.hear(what, value.text);
    } else {
      if (what === "finished") this.tabs?.postMessage({ finished: true });
      this.hear(what, value);
    }
  }

  /** Hear from another tab what became of steps, ours perhaps among them. */
  told({ answer, refused, finished }) {
    if (finished) {
      this.hear("finished");
    } else if (answer) {
      this.taken(answer);
    } else {
      this.outbox.release(refused);
      this.resync();
    }
  }

  /** Take in the answer to steps of any tab. */
  taken(answer) {
    this.outbox.release(answer.results.map((result) => result.name));
    this.apply(answer);
    for (const result of answer.results) {
      if (!ours(result.name)) continue;
      const ids = result.marks.map((id) => this.pictures.byId.get(id)).filter(Boolean);
      if (result.kind !== "mark" && !result.of) {
        // An undo or redo of what this tab has not made: now it can be turned back here.
        if (ids.length) (result.kind === "undo" ? this.future : this.past).push(ELSEWHERE);
        this.hear("landed", { kind: result.kind, pictures: ids });
      }
      if (result.refused) {
        this.resync();
        this.hear("refused", result.refused);
      }
    }
  }

  /** Take in {seq, marks}, unless we know better already. */
  apply(told) {
    if (told.edition && told.edition !== this.edition) {
      this.hear("stale");
      return;
    }
    if (told.seq < this.seq) return;
    this.seq = told.seq;
    if (!told.marks.length) return;
    const pending = this.outbox.pending();
    const changed = [];
    for (const [id, letter] of told.marks) {
      const p = this.pictures.byId.get(id);
      if (!p || pending.has(id) || p.letter === letter) continue;
      if (p.state !== { k: "keep", d: "drop", u: "undecided" }[letter.toLowerCase()]) changed.push(p);
      this.pictures.set(p, letter);
    }
    if (changed.length) this.hear("changed", changed);
  }

  async poll() {
    if (this.polling) return;
    this.polling = true;
    try {
      const told = await get(`/api/marks?since=${this.seq}`);
      this.apply(told);
      this.hear("there");
    } catch {
      if (!this.outbox.busy) this.hear("away", { waiting: 0, why: "" });
    }
    this.polling = false;
  }

  /** Ask for everything again: something was refused. */
  async resync() {
    try {
      this.replace(await get("/api/marks"));
    } catch { /* away; the next answer sets it right */ }
  }

  /** Draw what the server knows of every picture, and over it what lies here for it. */
  replace(told) {
    if (told.edition !== this.edition) {
      this.hear("stale");
      return;
    }
    if (told.seq < this.seq) return;
    this.seq = told.seq;
    const letters = [...told.states];
    for (const [, step] of this.outbox.entries()) {
      for (const state in LETTERS) {
        for (const id of step[state] ?? []) {
          const p = this.pictures.byId.get(id);
          if (p) letters[p.n] = LETTERS[state];
        }
      }
    }
    const pending = this.outbox.pending();
    const changed = this.pictures.all.filter((p) => p.letter !== letters[p.n] && !pending.has(p.id));
    for (const p of changed) this.pictures.set(p, letters[p.n]);
    if (changed.length) this.hear("changed", changed);
  }
}

async function get(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new Error(response.statusText);
  return response.json();
}
