// Elements without markup in strings, so that no text is ever taken for HTML.

/**
 * Return a new element.
 *
 * properties: properties of the element; `dataset` and attributes with a dash are set as such.
 * children: elements and texts; null and undefined are left out.
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "dataset") Object.assign(made.dataset, value);
    else if (name.includes("-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Return a button that calls a function. */
export function button(text, label, onclick) {
  return element("button", { type: "button", onclick, "aria-label": label, title: label }, text);
}

/** Return a choice between values; options are pairs of a value and a text. */
export function select(options, value, label, onchange) {
  const made = element("select", { "aria-label": label });
  for (const [key, text] of options) made.append(element("option", { value: key }, text));
  made.value = value;
  made.onchange = () => onchange(made.value);
  return made;
}
