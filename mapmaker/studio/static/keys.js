// Every key of the page, once: the dispatcher, the ? sheet and the tests read this table.

// act: what it does; keys: as `pressed` names them; where: grid, loupe, compare, rules;
// held: goes on while the key is held down (a held X must not drop thirty maps a second).
export const KEYS = [
  { part: "Decide", act: "keep", keys: ["p", "k"], where: "grid loupe compare", text: "keep, and go on" },
  { part: "Decide", act: "drop", keys: ["x", "d"], where: "grid loupe compare", text: "drop, and go on" },
  { part: "Decide", act: "clear", keys: ["u"], where: "grid loupe compare", text: "clear the mark, and go on" },
  { part: "Decide", act: "undo", keys: ["z", "ctrl+z"], where: "grid loupe compare rules", text: "undo the last step" },
  { part: "Decide", act: "redo", keys: ["shift+z", "ctrl+shift+z", "ctrl+y"], where: "grid loupe compare rules", text: "redo it" },
  { part: "Decide", act: "advance", keys: ["a"], where: "grid loupe compare", text: "go on after a mark: on or off" },

  { part: "Copies and groups", act: "keepOne", keys: ["shift+p"], where: "grid loupe compare", text: "keep this one, drop its copies, go to the next group" },
  { part: "Copies and groups", act: "dropGroup", keys: ["shift+x"], where: "grid loupe compare", text: "drop the whole group, go to the next" },
  { part: "Copies and groups", act: "compare", keys: ["b", "c"], where: "grid loupe compare", text: "compare the group side by side" },
  { part: "Copies and groups", act: "nextGroup", keys: ["n"], where: "grid loupe", text: "next group" },
  { part: "Copies and groups", act: "lastGroup", keys: ["shift+n"], where: "grid loupe", text: "previous group" },
  { part: "Copies and groups", act: "rules", keys: ["r"], where: "grid loupe compare rules", text: "all that one rule suggests, at once" },

  { part: "Move", act: "left", keys: ["arrowleft", "h", "shift+h"], where: "grid loupe compare", held: true, text: "left; in the loupe the previous, or pan" },
  { part: "Move", act: "right", keys: ["arrowright", "l", "shift+l"], where: "grid loupe compare", held: true, text: "right; in the loupe the next, or pan" },
  { part: "Move", act: "up", keys: ["arrowup", "shift+k"], where: "grid loupe compare rules", held: true, text: "up (K alone keeps); when comparing the previous group" },
  { part: "Move", act: "down", keys: ["arrowdown", "j", "shift+j"], where: "grid loupe compare rules", held: true, text: "down; when comparing the next group" },
  { part: "Move", act: "pageUp", keys: ["pageup"], where: "grid loupe compare", held: true, text: "a page up; in the loupe the previous" },
  { part: "Move", act: "pageDown", keys: ["pagedown"], where: "grid loupe compare", held: true, text: "a page down; in the loupe the next" },
  { part: "Move", act: "first", keys: ["home"], where: "grid loupe compare rules", text: "first" },
  { part: "Move", act: "last", keys: ["end"], where: "grid loupe compare rules", text: "last" },

  { part: "Look", act: "loupe", keys: ["enter", "e"], where: "grid loupe compare", text: "loupe, and back" },
  { part: "Look", act: "zoom", keys: ["space"], where: "loupe compare", text: "pixel for pixel, or the whole; when comparing one size for all" },
  { part: "Look", act: "filter", keys: ["f"], where: "grid loupe compare", text: "next filter" },
  { part: "Look", act: "filterBack", keys: ["shift+f"], where: "grid loupe compare", text: "previous filter" },
  { part: "Look", act: "search", keys: ["/"], where: "grid loupe compare", text: "search title, file, rule and reason" },
  { part: "Look", act: "grid", keys: ["g"], where: "loupe compare rules", text: "back to the grid" },
  { part: "Look", act: "back", keys: ["escape"], where: "grid loupe compare rules", text: "one step back; in the grid, show all again" },

  { part: "Rules", act: "accept", keys: ["enter"], where: "rules", text: "drop all that the rule suggests" },
  { part: "Rules", act: "only", keys: ["space"], where: "rules", text: "show only these" },

  { part: "Done", act: "help", keys: ["?"], where: "grid loupe compare rules", text: "this sheet" },
  { part: "Done", act: "finish", keys: ["ctrl+enter"], where: "grid loupe compare", text: "finish: write the shards" },
];

const NAMES = { " ": "space" };
const SIGNS = {
  arrowleft: "←", arrowright: "→", arrowup: "↑", arrowdown: "↓", enter: "↵", escape: "Esc", space: "Space",
  pageup: "PgUp", pagedown: "PgDn", home: "Home", end: "End", ctrl: "Ctrl", shift: "Shift",
};

/** Return the name of the key an event is about: p, shift+p, ctrl+z, arrowleft, ?. */
export function pressed(event) {
  const key = NAMES[event.key] ?? event.key.toLowerCase();
  const control = event.ctrlKey || event.metaKey ? "ctrl+" : "";
  const shift = event.shiftKey && (/^[a-z]$/.test(key) || control) ? "shift+" : "";
  return control + shift + key;
}

/** Return the entry of KEYS for an event in a mode, or undefined. */
export function meaning(event, mode) {
  if (event.altKey || event.isComposing) return undefined;
  const name = pressed(event);
  return KEYS.find((k) => k.keys.includes(name) && k.where.split(" ").includes(mode));
}

/** Return a key's name as people write it: Shift P. */
export function written(name) {
  return name.split("+").map((part) => SIGNS[part] ?? part.toUpperCase()).join(" ");
}
