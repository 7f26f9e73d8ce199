// Elements out of text. Nothing here takes markup: what a person or a program stored is always a text node
// or the value of a harmless attribute.

const SVG = "http://www.w3.org/2000/svg";
const ALLOWED = /^(class|id|type|name|value|for|role|alt|width|height|href|src|download|autocomplete|autocapitalize|spellcheck|inputmode|maxlength|minlength|min|max|step|pattern|placeholder|required|checked|disabled|hidden|rows|scope|tabindex|colspan|open|loading|viewBox|preserveAspectRatio|x|y|rx|title|lang|dir|method|datetime|aria-[a-z]+|data-[a-z-]+)$/;

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (ALLOWED.test(name)) element.setAttribute(name, value === true ? "" : String(value));
    else throw new TypeError(`no element has ${name} here`);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An HTML element. A child that is a string becomes text. */
export function h(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** An SVG element. */
export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

/** A button. `act` may take time: the button is disabled meanwhile, so that nothing is done twice. */
export function button(label, act, kind = "", properties = {}) {
  const element = h("button", { type: "button", class: `button ${kind}`, ...properties }, label);
  element.addEventListener("click", () => busy(element, act));
  return element;
}

/**
 * Runs something for a button, which is disabled meanwhile. What fails and is shown nowhere else goes to the
 * page, as the event `failed`.
 */
export async function busy(element, act) {
  if (element.disabled) return;
  element.disabled = true;
  try {
    await act();
  } catch (error) {
    document.dispatchEvent(new CustomEvent("failed", { detail: error }));
  }
  element.disabled = false;
  keepFocus(element);
}

/** Disabling an element, or removing it, loses the focus: it goes back, or to the panel's heading. */
function keepFocus(element) {
  if (document.activeElement !== document.body || document.querySelector("dialog[open]")) return;
  const next = element.isConnected && element.checkVisibility() ? element : document.querySelector("main h1");
  next?.focus({ preventScroll: true });
}

let fields = 0;

/** A label with its control, and what helps to fill it in. */
export function field(label, control, help) {
  fields += 1;
  control.id ||= `field-${fields}`;
  const hint = help && h("p", { class: "muted small", id: `${control.id}-help` }, help);
  if (hint) control.setAttribute("aria-describedby", hint.id);
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control, hint);
}

/** A checkbox or a radio button with its label beside it. */
export function choice(label, control) {
  fields += 1;
  control.id ||= `field-${fields}`;
  return h("div", { class: "choice" }, control, h("label", { for: control.id }, label));
}

/** A part of a panel: a heading, what belongs beside it, and content. */
export function card(heading, beside, ...content) {
  fields += 1;
  const id = `card-${fields}`;
  return h("section", { class: "card", "aria-labelledby": id }, h("header", {}, h("h2", { id }, heading), beside), ...content);
}

/** A note that stands out; `tone` is good, warn, bad or nothing. */
export function notice(tone, ...content) {
  return h("div", { class: `notice ${tone}`, role: tone === "bad" ? "alert" : undefined }, ...content);
}

/** Names with values. */
export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", { class: "facts" }, shown.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

/** Text in which `code` stands between backticks. */
export function prose(text) {
  return text.split("`").map((part, index) => (index % 2 === 0 ? part : h("code", { class: "code" }, part)));
}

/** Says something to whoever listens to the page rather than looks at it. */
export function announce(text) {
  const place = document.getElementById("announcer");
  // The same words again are news, too.
  place.textContent = place.textContent === text ? `${text}\u00a0` : text;
}

/** Puts content in place of what an element holds. */
export function show(element, ...content) {
  element.replaceChildren(...content.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
}
