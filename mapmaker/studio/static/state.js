// The pictures, their marks and what belongs together. It knows nothing of the screen or the wire.

export const FILTERS = {
  all: () => true,
  undecided: (p) => p.state === "undecided",
  suggested: (p) => p.rule !== "",
  kept: (p) => p.state === "keep",
  dropped: (p) => p.state === "drop",
  groups: (p) => p.family.length > 1,
};
const STATES = { k: "keep", d: "drop", u: "undecided" };
export const LETTERS = { keep: "K", drop: "D", undecided: "U" };

export class Pictures {
  /** board: the answer of /api/pictures. */
  constructor(board) {
    this.name = board.dataset;
    this.all = board.id.map((id, n) => ({
      n, id, name: board.name[n], file: board.file[n], width: board.width[n], height: board.height[n],
      problem: board.problem[n] ?? "", rule: "", level: "", reason: "", keeper: null, also: [],
      state: "undecided", letter: "u", family: [], copies: [], parts: [], place: -1, shade: 0,
    }));
    this.byId = new Map(this.all.map((p) => [p.id, p]));
    this.suggest(board.suggestions);
    this.gather(board.group);
    this.relations = new Map();
    for (const [one, other, kind, orientation, note] of board.relations) {
      this.relations.set(pair(one, other), { one, other, kind, orientation, note });
    }
    this.words = this.all.map((p) => [p.name, p.file, p.rule, p.reason, ...p.also].join(" ").toLowerCase());
    this.filter = "all";
    this.search = "";
    this.counts = Object.fromEntries(Object.keys(FILTERS).map((name) => [name, 0]));
    for (const p of this.all) this.count(p, 1);
    this.arrange();
  }

  suggest(suggestions) {
    for (const [n, [rule, level, reason, keeper, also]] of Object.entries(suggestions)) {
      Object.assign(this.all[n], { rule, level, reason, keeper: this.all[keeper] ?? null, also });
    }
  }

  /** Tie families (one map) and clusters (a keeper and its copies: one of them must stay). */
  gather(groups) {
    const families = new Map();
    const clusters = new Map();
    for (const p of this.all) {
      if (groups[p.n] >= 0) push(families, groups[p.n], p);
      if (p.keeper && p.level === "drop") push(clusters, p.keeper, p);
      else if (p.keeper) p.keeper.parts.push(p);   // a crop shows something of its own: no copy
    }
    let shade = 0;     // neighbouring groups are told apart by it
    for (const members of families.values()) {
      shade = 1 - shade;
      for (const p of members) Object.assign(p, { family: members, shade });
    }
    this.clusters = [...clusters].map(([keeper, copies]) => [keeper, ...copies]);
    for (const p of this.all) p.clusters = [];
    for (const cluster of this.clusters) for (const p of cluster) p.clusters.push(cluster);
    for (const p of this.all) {
      p.copies = p.clusters.length === 1 ? p.clusters[0] : [...new Set(p.clusters.flat())];
      if (!p.family.length) p.family = p.copies.length ? p.copies : [p];
    }
  }

  /** Return what two pictures are to each other, or undefined. */
  relation(one, other) {
    return this.relations.get(pair(one.n, other.n));
  }

  /** Set a picture's letter (k, d, u; capitals: a person said so). */
  set(p, letter) {
    this.count(p, -1);
    p.letter = letter;
    p.state = STATES[letter.toLowerCase()];
    this.count(p, 1);
  }

  count(p, by) {
    for (const name in FILTERS) if (FILTERS[name](p)) this.counts[name] += by;
  }

  /** Return why these pictures may not be dropped, or "": of a keeper and its copies one stays. */
  protects(ps) {
    const going = new Set(ps);
    for (const p of ps) {
      if (p.state === "drop") continue;
      for (const cluster of p.clusters) {
        if (cluster.every((m) => m.state === "drop" || going.has(m))) {
          const others = cluster.length === 2 ? "its copy is" : `its ${cluster.length - 1} copies are`;
          return `${p.name} stays: ${others} dropped already. Shift+X drops the whole group.`;
        }
      }
    }
    return "";
  }

  /** Work out which pictures are shown, and where each stands. */
  arrange() {
    for (const p of this.shown ?? []) p.place = -1;
    const passes = FILTERS[this.filter];
    const asked = this.search.toLowerCase().split(/\s+/).filter(Boolean);
    const finds = (p) => asked.every((word) =>
      word.startsWith("rule:") ? p.rule === word.slice(5) : this.words[p.n].includes(word));
    this.shown = this.all.filter((p) => passes(p) && (!asked.length || finds(p)));
    this.shown.forEach((p, place) => { p.place = place; });
  }

  /** Return the first picture to decide on of the next group (step -1: the one before), or null. */
  group(p, step) {
    const count = this.shown.length;
    const start = p ? p.place : -1;
    const seen = new Set([p?.family]);
    for (let place = start + step; place >= 0 && place < count; place += step) {
      const other = this.shown[place];
      if (other.family.length < 2 || seen.has(other.family)) continue;
      seen.add(other.family);
      const members = other.family.filter((m) => m.place >= 0);
      const open = members.find((m) => m.state === "undecided");
      if (step < 0) return open ?? members[0];
      if (open) return open;
    }
    return null;
  }

  /** Return the rules with what they suggest and nobody has decided: [{rule, level, open, total}]. */
  rules() {
    const found = new Map();
    for (const p of this.all) {
      if (!p.rule) continue;
      const key = `${p.level} ${p.rule}`;
      if (!found.has(key)) found.set(key, { rule: p.rule, level: p.level, open: [], total: 0 });
      found.get(key).total += 1;
      if (p.state === "undecided") found.get(key).open.push(p);
    }
    const order = (a, b) => a.level.localeCompare(b.level) || b.total - a.total;   // drop, then look
    return [...found.values()].sort(order);
  }
}

function pair(one, other) {
  return one < other ? `${one} ${other}` : `${other} ${one}`;
}

function push(map, key, value) {
  if (map.has(key)) map.get(key).push(value);
  else map.set(key, [value]);
}
