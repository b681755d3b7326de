// A region of a page that changes while it is open: the server sends the parts that changed.

import { request, showError } from "./api.js";

/** Replace an element, and keep what the user did in it: focus, checks, open details, scrolling. */
function replacePart(before, after) {
  const kept = (selector) => [...before.querySelectorAll(selector)];
  const others = (selector) => [...after.querySelectorAll(selector)];
  const copy = (selector, assign) => {
    const elements = others(selector);
    kept(selector).forEach((element, index) => elements[index] && assign(element, elements[index]));
  };
  copy("input[type=checkbox]", (from, to) => { to.checked = from.checked; });
  copy("details", (from, to) => { to.open = from.open; });
  const focusable = "a, button, input, summary, [tabindex]";
  const focused = kept(focusable).indexOf(document.activeElement);
  const scrolled = kept(".scroll").map((element) => element.scrollLeft);
  before.replaceWith(after);
  others(".scroll").forEach((element, index) => { element.scrollLeft = scrolled[index] ?? 0; });
  if (focused >= 0) others(focusable)[focused]?.focus({ preventScroll: true });
}

function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  return template.content.firstElementChild;
}

function arrange(list, keys, elements) {
  const wanted = new Set(keys);
  for (const child of [...list.children]) if (!wanted.has(child.dataset.part)) child.remove();
  keys.forEach((key, index) => {
    if (list.children[index] !== elements.get(key)) list.insertBefore(elements.get(key), list.children[index] ?? null);
  });
}

function apply(region, { parts, items }) {
  const elements = new Map([...region.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
  for (const [key, html] of Object.entries(parts)) {
    const after = parse(html);
    if (elements.has(key)) replacePart(elements.get(key), after);
    elements.set(key, after);
  }
  if (items) arrange(region.querySelector("[data-items]"), items, elements);
}

function becomeVisible() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    document.addEventListener("visibilitychange", () => resolve(becomeVisible()), { once: true });
  });
}

/**
 * Ask the server for changes until the page is left. A hidden tab does not ask.
 *
 * region: the element with data-live (the endpoint, which gets the query of the page), data-version and data-every
 * (milliseconds). Elements with data-part are replaced; those in data-items form a list.
 * onChange: called after each change.
 */
export async function followChanges(region, onChange = () => {}) {
  const every = Number(region.dataset.every);
  let hasFailed = false;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, hasFailed ? 3 * every : every));
    await becomeVisible();
    try {
      const parameters = new URLSearchParams(location.search);
      parameters.set("since", region.dataset.version);
      const response = await request(`${region.dataset.live}?${parameters}`);
      if (response.status === 200) {
        const changes = await response.json();
        apply(region, changes);
        region.dataset.version = changes.version;
        onChange();
      }
      if (hasFailed) showError(null);
      hasFailed = false;
    } catch (error) {
      showError(error);
      hasFailed = true;
    }
  }
}
