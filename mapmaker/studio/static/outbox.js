// What the person decided goes to the server in order, one request at a time, until it is taken.
// While the server is away the marks wait here and the page goes on.

const RETRY_MS = 1000;

export class Outbox {
  /** hear(name, value): marked, undone, waiting (how many, 0 when all is saved), refused (text). */
  constructor(hear) {
    this.hear = hear;
    this.waiting = [];
    this.busy = false;
  }

  /** Send one mark {id, state}. */
  mark(mark) { this.push({ kind: "marks", mark }); }

  /** Take back the last mark, after everything before it was saved. */
  undo() { this.push({ kind: "undo" }); }

  /** Tell the server that the person has finished. */
  finish() { this.push({ kind: "finish" }); }

  push(job) {
    this.waiting.push(job);
    if (!this.busy) this.pump();
  }

  async pump() {
    this.busy = true;
    while (this.waiting.length) {
      const kind = this.waiting[0].kind;
      let count = 1;
      while (kind === "marks" && this.waiting[count]?.kind === "marks") count += 1;
      const jobs = this.waiting.slice(0, count);
      try {
        const answer = await post(kind, kind === "marks" ? { marks: jobs.map((j) => j.mark) } : {});
        this.waiting.splice(0, count);
        this.hear("waiting", this.waiting.length, kind);
        this.hear(kind, answer);
      } catch (error) {
        if (error instanceof Refused) {
          this.waiting.splice(0, count);
          this.hear("refused", error.message);
        } else {
          this.hear("away", this.waiting.filter((j) => j.kind === "marks").length);
          await new Promise((wake) => setTimeout(wake, RETRY_MS));
        }
      }
    }
    this.busy = false;
  }
}

class Refused extends Error {}

async function post(kind, body) {
  const response = await fetch(`/api/${kind}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Refused(answer.error ?? response.statusText);
  return answer;
}
