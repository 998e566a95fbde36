// Steps on their way to the server: written down first, sent in order, forgotten when taken.
//
// They lie in localStorage, so they outlive a reload of the page and a server that is away. Any tab
// sends what lies there, one tab at a time; each step has a name, so sending it twice is harmless.

const RETRY_MS = 1000;
const MOST = 200;           // steps in one request
const PATIENCE_MS = 30_000; // for an answer; sending again is harmless
const client = Math.random().toString(36).slice(2, 10);
let stamp = 0;

export class Outbox {
  /** key: of the data set; since(): the newest mark we know; hear(what, value): taken, waiting,
   * away, refused, full, finished, stale.
   */
  constructor(key, since, hear) {
    this.key = key;
    this.prefix = `mapmaker/${key}/`;
    this.since = since;
    this.hear = hear;
    this.inMemory = new Map();   // where localStorage is full or forbidden
    this.touching = new Map();   // the pictures each step of ours is about
    this.busy = false;
    this.finishing = null;
  }

  /** Put a step in, about these picture ids; return its name. */
  push(step, ids = []) {
    stamp = Math.max(Date.now(), stamp + 1);
    const name = `${client}-${stamp}`;
    const key = `${this.prefix}${String(stamp).padStart(15, "0")}-${client}`;
    const text = JSON.stringify({ ...step, name });
    this.touching.set(name, ids);
    try {
      localStorage.setItem(key, text);
    } catch {
      this.inMemory.set(key, text);
      this.hear("full");
    }
    this.pump();
    return name;
  }

  /** Return the entries [key, step] of every tab, oldest first. */
  entries() {
    const found = [...this.inMemory];
    try {
      for (let i = 0; i < localStorage.length; i += 1) {
        const key = localStorage.key(i);
        if (key.startsWith(this.prefix)) found.push([key, localStorage.getItem(key)]);
      }
    } catch { /* forbidden: then nothing lies there */ }
    found.sort(([a], [b]) => (a > b) - (a < b));
    return found.filter(([, text]) => text !== null).map(([key, text]) => [key, JSON.parse(text)]);
  }

  /** Return the ids of pictures this tab has marked and the server has not taken yet.
   *
   * Not those of other tabs: what they have sent may still be seen here when its answer is known.
   */
  pending() {
    return new Set([...this.touching.values()].flat());
  }

  /** Forget what steps were about: the server has them, by us or by another tab. */
  release(names) {
    for (const name of names) this.touching.delete(name);
  }

  /** Release every step that lies here no more: another tab has sent it. */
  settle() {
    const left = new Set(this.entries().map(([, step]) => step.name));
    this.release([...this.touching.keys()].filter((name) => !left.has(name)));
  }

  /** Tell the server that the person has finished, once all is taken. */
  finish() {
    this.finishing = true;
    this.pump();
  }

  async pump() {
    if (this.busy) return;
    this.busy = true;
    for (;;) {
      try {
        const more = await alone(this.prefix, () => this.send());
        if (!more) break;
      } catch (error) {
        this.hear("away", { waiting: this.entries().length, why: error.spoken ?? "" });
        await new Promise((wake) => setTimeout(wake, RETRY_MS));
      }
    }
    this.busy = false;
    if (this.entries().length || this.finishing) this.pump();   // put in since we looked
  }

  /** Send what lies there; return whether there may be more. */
  async send(most = MOST) {
    const batch = this.entries().slice(0, most);
    if (!batch.length) {
      if (!this.finishing) return false;
      await this.post("finish", {});
      this.finishing = null;
      this.hear("finished");
      return false;
    }
    try {
      const steps = batch.map(([, step]) => step);
      const answer = await this.post("steps", { steps, since: this.since() });
      this.forget(batch);
      this.hear("taken", answer);
    } catch (error) {
      if (!error.final) throw error;
      if (batch.length > 1) return this.send(1);
      this.forget(batch);
      this.hear("refused", { text: error.message, names: batch.map(([, step]) => step.name) });
    }
    const left = this.entries().length;
    this.hear("waiting", left);
    return left > 0 || Boolean(this.finishing);
  }

  /** Send to the server of our data set; another one on this port answers 409 and takes nothing. */
  async post(path, body) {
    const response = await fetch(`/api/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ key: this.key, ...body }),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return answer;
    if (response.status === 409) this.hear("stale");
    const error = new Error(answer.error ?? response.statusText);
    error.final = response.status === 400 || response.status === 413;
    error.spoken = error.message;
    throw error;
  }

  forget(batch) {
    for (const [key, step] of batch) {
      this.inMemory.delete(key);
      this.touching.delete(step.name);
      try { localStorage.removeItem(key); } catch { /* it was never there */ }
    }
  }
}

/** Whether a step was made in this tab. */
export function ours(name) {
  return name.startsWith(`${client}-`);
}

/** Run `work` while no other tab sends. */
function alone(name, work) {
  return navigator.locks ? navigator.locks.request(name, work) : work();
}
