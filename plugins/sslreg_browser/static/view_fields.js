// The controls of an operation's parameters. They change the operation, which is plain data, in place.

import { button, element, select } from "./dom.js";

const UNSET = "";

/** Return a control for a field of an operation; `changed` is called after each change. */
export function createField(field, operation, changed) {
  const frame = element("div", { className: "field" });
  const draw = () => frame.replaceChildren(...createParts(field, operation, changed, draw));
  draw();
  return frame;
}

function createParts(field, operation, changed, draw) {
  const set = (value) => {
    operation[field.name] = value;
    reset.disabled = false;
    changed();
  };
  const clear = () => {
    delete operation[field.name];
    draw();
    changed();
  };
  const reset = button("↺", `Reset ${field.name} to its default`, clear);
  reset.disabled = field.required || !(field.name in operation);
  const value = field.name in operation ? operation[field.name] : (field.default ?? null);
  const name = element("span", { className: "field-name", title: field.description }, field.name);
  return [name, CONTROLS[chooseControl(field, value)](field, value, set, clear, draw), reset];
}

/** Return the name of a control that can show a value, which may be a reference such as ${env:NAME}. */
function chooseControl(field, value) {
  const isNumeric = [value].flat().every((one) => one === null || typeof one === "number");
  return field.control === "numbers" && !isNumeric ? "json" : field.control;
}

const CONTROLS = { numbers, choice, switch: toggle, text, json };

function numbers(field, value, set, clear, draw) {
  const frame = element("div", { className: "numbers" });
  const lengths = field.lengths;
  const length = value === null ? 0 : Array.isArray(value) ? value.length : 1;
  const forms = lengths.map((count) => [String(count), count === 1 ? "one number" : `${count} numbers`]);
  if (value === null || field.nullable) forms.unshift(["0", "none"]);
  if (forms.length > 1) {
    const choose = (chosen) => {
      const count = Number(chosen);
      const last = [value].flat().at(-1) ?? guessNumber(field);
      if (count === 0 && "default" in field) set(null);
      else if (count === 0) clear();
      else set(count === 1 ? last : Array(count).fill(last));
      draw();
    };
    frame.append(select(forms, String(length), `Form of ${field.name}`, choose));
  }
  [value].flat().slice(0, length).forEach((number, index) => {
    const change = (changed) => {
      if (!Array.isArray(value)) return set(changed);
      value = value.with ? value.with(index, changed) : value.map((old, at) => (at === index ? changed : old));
      set(value);
    };
    const label = length > 1 ? `${field.name} ${index + 1}` : field.name;
    frame.append(createSlider(field, number, [value].flat(), label, change));
  });
  return frame;
}

/** Return a slider and a number field that show the same number. */
function createSlider(field, number, all, label, change) {
  const most = Math.max(...all.map(Math.abs), ...[field.default ?? 0].flat().map(Math.abs));
  const high = field.high ?? (field.integer ? Math.max(2 * most, 16) : 2 * most || 1);
  const low = field.low ?? (all.some((one) => one < 0) ? -high : field.integer ? 1 : 0);
  const step = field.integer ? 1 : (high - low) / 200;
  const slider = element("input", { type: "range", min: low, max: high, step, "aria-label": label });
  const exact = element("input", { type: "number", step: field.integer ? 1 : "any", "aria-label": `${label}, exactly` });
  slider.value = number;
  exact.value = Number(number.toPrecision(5));
  slider.oninput = () => {
    exact.value = Number(Number(slider.value).toPrecision(3));
    change(Number(exact.value));
  };
  exact.oninput = () => {
    if (exact.value === "" || !exact.checkValidity()) return;
    slider.value = exact.value;
    change(Number(exact.value));
  };
  return element("span", { className: "slider" }, slider, exact);
}

function choice(field, value, set, clear) {
  const options = field.choices.map((one) => [String(one), String(one)]);
  if (value === null || field.nullable) options.unshift([UNSET, "none"]);
  return select(options, value === null ? UNSET : String(value), field.name, (chosen) => {
    if (chosen === UNSET && !("default" in field)) clear();
    else set(chosen === UNSET ? null : field.choices.find((one) => String(one) === chosen));
  });
}

function toggle(field, value, set) {
  const box = element("input", { type: "checkbox", checked: value === true, "aria-label": field.name });
  box.onchange = () => set(box.checked);
  return box;
}

function text(field, value, set, clear) {
  const input = element("input", { type: "text", value: value ?? "", "aria-label": field.name });
  input.onchange = () => (input.value === "" && !field.required ? clear() : set(input.value));
  return input;
}

function json(field, value, set, clear) {
  const content = value === null ? "" : JSON.stringify(value);
  const hint = "a number, a list such as [0.5, 0.5], or other JSON";
  const input = element("input", { type: "text", value: content, placeholder: hint, "aria-label": field.name });
  input.onchange = () => {
    input.setCustomValidity("");
    if (input.value.trim() === "") return clear();
    try {
      set(JSON.parse(input.value));
    } catch {
      input.setCustomValidity(`write ${hint}`);
      input.reportValidity();
    }
  };
  return input;
}

/** Return a number for a parameter without a default. */
function guessNumber(field) {
  if ("low" in field && "high" in field) return (field.low + field.high) / 2;
  return [field.default].flat().at(-1) ?? (field.integer ? 32 : 1);
}

/** Return a value for a required parameter. */
export function guessValue(field, views, flat) {
  if (field.control === "operations") return field.many ? [{ use: flat }] : { use: flat };
  if (field.control === "choice") return field.choices[0];
  if (field.control === "switch") return false;
  if (field.control === "text") return "";
  if (field.control === "json") return 1;
  const known = JSON.stringify(views).match(new RegExp(`"${field.name}":(\\d[\\d.]*)`));
  const number = known ? Number(known[1]) : field.integer || "low" in field ? guessNumber(field) : 10;
  return field.lengths[0] === 1 ? number : Array(field.lengths[0]).fill(number);
}
