// What every part needs of the page. Text goes in as text: a note cannot bring markup or script.

export const at = (id) => document.getElementById(id);

export function made(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== undefined) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.map((child) => (child instanceof Node ? child : document.createTextNode(String(child)))));
  return element;
}

export function say(words, bad = false) {
  const said = at("said");
  said.textContent = words;
  said.classList.toggle("bad", bad);
}

export function guarded(act) {
  return async (...given) => {
    try {
      return await act(...given);
    } catch (error) {
      say(error.message || String(error), true);
      return undefined;
    }
  };
}

export function table(columns, rows) {
  const head = made("thead", {}, made("tr", {}, ...columns.map((name) => made("th", { scope: "col" }, name))));
  const body = made("tbody", {}, ...rows.map((row) => made("tr", {}, ...row.map((cell) => made("td", {}, cell)))));
  return made("div", { class: "scroll" }, made("table", {}, head, body));
}

export const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)}%`;
export const signed = (share) => `${share >= 0 ? "+" : "−"}${Math.abs(100 * share).toFixed(2)}%`;
