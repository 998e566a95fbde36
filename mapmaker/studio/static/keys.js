// Every key of the page, once: the dispatcher, the ? sheet and the tests read this table.

const VIEWS = "grid loupe compare";
const ALL = `${VIEWS} rules`;
const HELD = true;   // goes on while held down; a held X must not drop thirty maps a second

// What it does, its keys as `pressed` names them, where they hold, and what the sheet says.
const TABLE = {
  "Decide": [
    ["keep", "p k", VIEWS, "keep, and go on"],
    ["drop", "x d", VIEWS, "drop, and go on"],
    ["clear", "u", VIEWS, "clear the mark, and go on"],
    ["undo", "z ctrl+z", ALL, "undo the last step"],
    ["redo", "shift+z ctrl+shift+z ctrl+y", ALL, "redo it"],
    ["advance", "a", VIEWS, "go on after a mark: on or off"],
  ],
  "Copies and groups": [
    ["keepOne", "shift+p", VIEWS, "keep this one, drop its copies and parts, go to the next group"],
    ["dropGroup", "shift+x", VIEWS, "drop the whole group, go to the next"],
    ["compare", "b c", VIEWS, "compare the group side by side"],
    ["nextGroup", "n", "grid loupe", "next group"],
    ["lastGroup", "shift+n", "grid loupe", "previous group"],
    ["rules", "r", ALL, "all that one rule suggests, at once"],
  ],
  "Move": [
    ["left", "arrowleft h shift+h", VIEWS, "left; in the loupe the previous, or pan", HELD],
    ["right", "arrowright l shift+l", VIEWS, "right; in the loupe the next, or pan", HELD],
    ["up", "arrowup shift+k", ALL, "up (K alone keeps); when comparing the previous group", HELD],
    ["down", "arrowdown j shift+j", ALL, "down; when comparing the next group", HELD],
    ["pageUp", "pageup", VIEWS, "a page up; in the loupe the previous", HELD],
    ["pageDown", "pagedown", VIEWS, "a page down; in the loupe the next", HELD],
    ["first", "home", ALL, "first"],
    ["last", "end", ALL, "last"],
  ],
  "Look": [
    ["loupe", "enter e", VIEWS, "loupe, and back"],
    ["zoom", "space", "loupe compare", "pixel for pixel; when comparing one size for all"],
    ["filter", "f", VIEWS, "next filter"],
    ["filterBack", "shift+f", VIEWS, "previous filter"],
    ["search", "/", VIEWS, "search title, file, rule and reason"],
    ["grid", "g", "loupe compare rules", "back to the grid"],
    ["back", "escape", ALL, "one step back; in the grid, show all again"],
  ],
  "Rules": [
    ["accept", "enter", "rules", "drop all that the rule suggests"],
    ["only", "space", "rules", "show only these"],
  ],
  "Done": [
    ["help", "?", ALL, "this sheet"],
    ["finish", "ctrl+enter", VIEWS, "finish: write the shards"],
  ],
};

export const KEYS = Object.entries(TABLE).flatMap(([part, rows]) =>
  rows.map(([act, keys, where, text, held = false]) => (
    { part, act, keys: keys.split(" "), where: where.split(" "), text, held })));

const NAMES = { " ": "space" };
const SIGNS = {
  arrowleft: "←", arrowright: "→", arrowup: "↑", arrowdown: "↓", enter: "↵", escape: "Esc",
  space: "Space", pageup: "PgUp", pagedown: "PgDn", home: "Home", end: "End", ctrl: "Ctrl",
  shift: "Shift",
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
  return KEYS.find((k) => k.keys.includes(name) && k.where.includes(mode));
}

/** Return a key's name as people write it: Shift P. */
export function written(name) {
  return name.split("+").map((part) => SIGNS[part] ?? part.toUpperCase()).join(" ");
}
