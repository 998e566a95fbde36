// What the page says of a picture.

export const WORDS = { keep: "kept", drop: "dropped", undecided: "not decided" };

/** Return "1 copy", "4 copies". */
export function copies(count) {
  return `${count} ${count === 1 ? "copy" : "copies"}`;
}

/** Return what a picture is to its crops. */
export function whole(p) {
  return `the whole of ${p.parts.length === 1 ? "1 part" : `${p.parts.length} parts`}`;
}

/** Return a rule's name as a person reads it. */
export function rule(p) {
  return p.rule.replace("-", ", ");
}

/** Return how sure we are, before a reason: a suggestion to drop, or only to look. */
export function level(p) {
  return p.level === "drop" ? "drop?" : "look:";
}

/** Return the whole sentence about a suggestion, or "". */
export function why(p) {
  if (!p.rule) return "";
  const stays = p.keeper ? `; ${p.keeper.name} stays` : "";
  const also = p.also.length ? `; also ${p.also.join("; ")}` : "";
  return `${level(p)} ${rule(p)}: ${p.reason}${stays}${also}`;
}

/** Return [level, text] for the line under a picture: what we suggest, or its part in the group. */
export function hint(p) {
  if (p.rule) return [p.level, `${level(p)} ${rule(p)}`];
  if (p.copies.length > 1) return ["stays", `stays for ${copies(p.copies.length - 1)}`];
  if (p.parts.length) return ["stays", whole(p)];
  return ["", `${p.width} × ${p.height}`];
}

/** Return what a screen reader says of a picture. */
export function label(p) {
  return `${p.name}, ${WORDS[p.state]}${p.rule ? `, suggested: ${why(p)}` : ""}`;
}

/** Cut a long name in its middle: its end tells floors and versions apart. */
export function short(name) {
  return name.length > 30 ? `${name.slice(0, 11)}…${name.slice(-17)}` : name;
}
