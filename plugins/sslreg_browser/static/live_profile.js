// The live invariance profile: a slider changes an augmentation of the chosen image and shows how far its features move.
import { latestRequest, requestJson, showError } from "./api.js";

const get = (id) => document.getElementById(id);
const api = `/api/features/${get("features").dataset.run}`;
const SVG = "http://www.w3.org/2000/svg";
const requestAugmented = latestRequest();
let image = null;

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

async function loadAspects() {
  const groups = new Map();
  for (const [number, { title, has_strength, invariances }] of (await requestJson(`${api}/aspects`)).entries()) {
    const option = element("option", { value: number, textContent: title });
    option.dataset.hasStrength = has_strength ? "yes" : "";
    const label = invariances.join(", ");
    if (!groups.has(label)) groups.set(label, element("optgroup", { label }));
    groups.get(label).append(option);
  }
  get("aspect").replaceChildren(...groups.values());
}

/** Draw the distances of other images as bars, and those of the draws as lines. */
function drawDistances({ bars, high, moved, mean }) {
  const svg = shape("svg", { viewBox: "0 0 400 100", preserveAspectRatio: "none", "aria-hidden": "true" });
  const most = Math.max(1, ...bars), width = 400 / bars.length;
  const path = bars.map((count, at) => `M${at * width} 100v${(-90 * count) / most}h${width - 1}V100z`).join("");
  svg.append(shape("path", { class: "bars", d: path }));
  const line = (distance, style) => {
    const x = Math.min(399, Math.max(1, (400 * distance) / high));
    svg.append(shape("line", { class: style, x1: x, x2: x, y1: 0, y2: 100 }));
  };
  line(mean, "mean");
  for (const distance of moved) line(distance, "moved");
  return svg;
}

function showDistances(subject) {
  const { title, moved, mean, closer, others, high } = subject;
  const average = moved.reduce((sum, distance) => sum + distance, 0) / moved.length;
  const share = mean > 1e-9 ? (average / mean).toFixed(2) : "0.00";
  const nearer = Math.round(closer.reduce((sum, count) => sum + count, 0) / closer.length);
  return element(
    "div",
    {},
    element("p", {}, `${title}: `, element("strong", { textContent: share }), " of the mean distance to other images"),
    drawDistances(subject),
    element("p", { className: "ends" }, element("span", { textContent: "distance 0" }), element("span", { textContent: high.toFixed(2) })),
    element("p", { className: "note", textContent: `${nearer} of ${others} other images are closer, on average.` }),
  );
}

function showDraws(pictures) {
  const draws = pictures.map((source, number) => {
    const picture = element("img", { alt: `Draw ${number + 1}`, width: 128, height: 128 });
    picture.addEventListener("load", () => picture.classList.toggle("pixels", picture.naturalWidth <= 64));
    picture.src = source;
    return element("li", {}, picture, element("p", { textContent: `draw ${number + 1}` }));
  });
  get("draws").replaceChildren(...draws);
}

async function update() {
  const aspect = get("aspect"), strength = get("strength");
  strength.disabled = !aspect.selectedOptions[0]?.dataset.hasStrength;
  get("strength-text").textContent = strength.disabled ? "default" : `${strength.value} %`;
  if (image === null || aspect.value === "") return;
  const percent = strength.disabled ? 100 : strength.value;
  try {
    const answer = await requestAugmented(`${api}/images/${image}/augmented?aspect=${aspect.value}&strength=${percent}`);
    if (answer === null) return;
    showError(null);
    showDraws(answer.pictures);
    get("distances").replaceChildren(...answer.subjects.map(showDistances));
  } catch (error) {
    showError(error);
  }
}

document.addEventListener("chosen", async ({ detail }) => {
  image = detail.key;
  if (get("aspect").options.length === 0) {
    try {
      await loadAspects();
    } catch (error) {
      showError(error);
      return;
    }
    get("profile").hidden = get("aspect").options.length === 0;
  }
  await update();
});
get("aspect").addEventListener("change", update);
get("strength").addEventListener("input", update);
