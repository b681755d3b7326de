// Cards: one for each kind of view, with a card for each operation; containers have cards within their card.

import { button, element, select } from "./dom.js";
import { createField, guessValue } from "./view_fields.js";

/**
 * The cards of a list of views, which is plain data and is changed in place.
 *
 * place: the list element for the cards.
 * operations: the registered operations.
 * roles: the roles that the model has.
 * changed: called after each change.
 */
export class Cards {
  constructor(place, operations, roles, changed) {
    Object.assign(this, { place, roles, changed });
    this.operations = new Map(operations.map((operation) => [operation.use, operation]));
    const isPlain = (operation) => operation.fields.every((field) => !field.required);
    this.flat = operations.find((one) => one.use === "horizontal_flip" && isPlain(one)) ?? operations.find(isPlain);
  }

  /** Show views, and focus the button with a label in the card of a path. */
  show(views, focus = null) {
    this.views = views;
    this.place.replaceChildren(...views.map((view, index) => this.createView(view, index)));
    if (focus === null) return;
    const card = this.find(focus.path);
    const buttons = [...(card?.querySelectorAll(":scope > header button") ?? [])];
    const wanted = buttons.find((one) => one.dataset.action === focus.action && !one.disabled) ?? buttons[0];
    (wanted ?? document.getElementById("add-view")).focus();
  }

  find(path) {
    return this.place.querySelector(`[data-path="${CSS.escape(path.join("."))}"]`);
  }

  /** Show findings in the cards that they are about, and return the others. */
  showFindings(findings) {
    for (const list of this.place.querySelectorAll(".findings")) list.replaceChildren();
    return findings.filter((finding) => {
      const path = [...(finding.path ?? [])];
      while (path.length && !this.find(path)) path.pop();
      if (!path.length) return true;
      this.find(path).querySelector(".findings").append(createFinding(finding));
      return false;
    });
  }

  change(path, action) {
    this.show(this.views, { path, action });
    this.changed();
  }

  createView(view, index) {
    view.augment ??= [];
    const path = ["views", index];
    const header = element("header", {}, element("h3", {}, `View ${index + 1}`), this.createTools(this.views, index, ["views"], "view"));
    return element(
      "li", { className: "card view", dataset: { path: path.join(".") } },
      header, this.createViewFields(view), element("ul", { className: "findings" }),
      ...this.createList(view.augment, [...path, "augment"]),
    );
  }

  createViewFields(view) {
    const set = (name, value) => {
      if (value === null) delete view[name];
      else view[name] = value;
      this.changed();
    };
    const repeat = element("input", { type: "number", min: 1, max: 1000, value: view.repeat ?? 1, "aria-label": "repeat" });
    repeat.oninput = () => repeat.value && repeat.checkValidity() && set("repeat", Number(repeat.value));
    const places = ["auto", "host", "device"].map((place) => [place, place]);
    const roles = [["", "first role"], ...this.roles.map((role) => [role, role])];
    return element(
      "div", { className: "tools" },
      element("label", {}, "repeat ", repeat),
      this.roles.length ? element("label", {}, "as ", select(roles, view.as ?? "", "as", (role) => set("as", role || null))) : null,
      element("label", {}, "place ", select(places, view.place ?? "auto", "place", (place) => set("place", place))),
    );
  }

  /** Return the cards of a list of operations, and what adds one. */
  createList(list, path, many = true) {
    const cards = element("ol", { className: "cards" }, ...list.map((_, index) => this.createOperation(list, index, path, many)));
    const names = [...this.operations.keys()].map((name) => [name, name]);
    const chosen = select([["", "Add an operation …"], ...names], "", "Operation to add", () => {});
    const add = button("Add", "Add the operation", () => {
      if (!chosen.value) return chosen.focus();
      const index = this.insert(list, chosen.value);
      this.change([...path, index], "remove");
    });
    return [cards, many ? element("div", { className: "tools add" }, chosen, add) : null].filter(Boolean);
  }

  /** Insert a new operation and return its index. One without invariances stays last, such as a normalization. */
  insert(list, use) {
    const described = this.operations.get(use);
    const operation = { use };
    for (const field of described.fields) {
      if (field.required) operation[field.name] = guessValue(field, this.views, this.flat.use);
    }
    const last = this.operations.get(list.at(-1)?.use);
    const isBefore = list.length > 1 && described.invariances.length && last && !last.invariances.length && !hasNested(last);
    const index = isBefore ? list.length - 1 : list.length;
    list.splice(index, 0, operation);
    return index;
  }

  createOperation(list, index, path, many = true) {
    const operation = list[index];
    const own = many ? [...path, index] : path;
    const described = this.operations.get(operation.use);
    const tools = many ? this.createTools(list, index, path, operation.use) : null;
    const badges = (described?.invariances ?? []).map((one) => element("span", { className: "badge" }, one));
    const header = element("header", {}, element("h4", {}, operation.use), ...badges, tools);
    const card = element(
      "li", { className: "card operation", dataset: { path: own.join(".") } },
      header, element("p", { className: "summary" }, described?.summary ?? "This operation is not installed."),
      element("ul", { className: "findings" }),
    );
    if (many) this.makeDraggable(card, header, list, index, path);
    for (const field of described?.fields ?? []) {
      card.append(...(field.control === "operations" ? this.createNested(field, operation, own) : [createField(field, operation, this.changed)]));
    }
    return card;
  }

  createNested(field, operation, path) {
    const inner = [...path, field.name];
    const name = element("p", { className: "field-name", title: field.description }, field.name);
    if (field.many) return [name, ...this.createList((operation[field.name] ??= []), inner)];
    const chosen = this.createReplacement(field, operation, path);
    if (!operation[field.name]) return [name, chosen];
    const card = this.createOperation([operation[field.name]], 0, inner, false);
    return [name, chosen, element("ol", { className: "cards" }, card)];
  }

  /** Return a choice of the only operation in a field. */
  createReplacement(field, operation, path) {
    const names = [...this.operations.keys()].map((name) => [name, name]);
    if (!field.required) names.unshift(["", "none"]);
    return select(names, operation[field.name]?.use ?? "", field.name, (use) => {
      const list = [];
      if (use) this.insert(list, use);
      if (use) [operation[field.name]] = list;
      else delete operation[field.name];
      this.change(path, "");
    });
  }

  createTools(list, index, path, name) {
    const move = (to, action) => {
      const [moved] = list.splice(index, 1);
      list.splice(to, 0, moved);
      this.change([...path, to], action);
    };
    const remove = () => {
      list.splice(index, 1);
      this.change([...path, Math.min(index, list.length - 1)], "remove");
    };
    const copy = () => {
      list.splice(index + 1, 0, structuredClone(list[index]));
      this.change([...path, index + 1], "copy");
    };
    const tools = [
      ["up", button("↑", `Move ${name} up`, () => move(index - 1, "up")), index === 0],
      ["down", button("↓", `Move ${name} down`, () => move(index + 1, "down")), index === list.length - 1],
      ["copy", button("+", `Copy ${name}`, copy), false],
      ["remove", button("✕", `Remove ${name}`, remove), list === this.views && list.length === 1],
    ];
    for (const [action, made, disabled] of tools) {
      made.dataset.action = action;
      made.disabled = disabled;
    }
    return element("span", { className: "card-tools" }, ...tools.map(([, made]) => made));
  }

  /** Let the mouse move a card within its list. */
  makeDraggable(card, header, list, index, path) {
    header.draggable = true;
    header.ondragstart = (event) => {
      this.dragged = { list, index };
      event.dataTransfer.effectAllowed = "move";
      event.stopPropagation();
    };
    header.ondragend = () => (this.dragged = null);
    card.ondragover = (event) => {
      if (this.dragged?.list !== list) return;
      event.preventDefault();
      event.stopPropagation();
    };
    card.ondrop = (event) => {
      if (this.dragged?.list !== list) return;
      event.preventDefault();
      event.stopPropagation();
      const [moved] = list.splice(this.dragged.index, 1);
      list.splice(index, 0, moved);
      this.change([...path, index], "up");
    };
  }
}

function hasNested(described) {
  return described.fields.some((field) => field.control === "operations");
}

/** Return an item for a finding. */
export function createFinding(finding) {
  const line = finding.line ? ` (line ${finding.line})` : "";
  return element(
    "li", { className: finding.severity },
    `${finding.severity}: ${finding.message}${line}`, finding.hint ? element("small", {}, ` ${finding.hint}`) : null,
  );
}
