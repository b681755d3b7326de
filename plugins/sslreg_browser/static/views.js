// The page on which the views of a spec are edited.

import { latestRequest, requestJson, showError } from "./api.js";
import { element } from "./dom.js";
import { Cards, createFinding } from "./view_cards.js";
import { showPictures } from "./view_pictures.js";

/** The milliseconds without a change after which the spec is checked and its stages are measured. */
const PAUSE = 600;

const get = (id) => document.getElementById(id);
const { api } = get("studio").dataset;
const state = { views: [], start: null, shown: null, busy: false, stale: false, seed: null, epoch: 0, timer: 0 };
const requestCheck = latestRequest();
const requestPlan = latestRequest();
let cards;

function content() {
  const { views, seed, epoch } = state;
  return { views, seed, epoch, samples: Number(get("samples").value) || 8, file_name: get("file-name").value };
}

/** Show the current views. During a request, only the last change is sent after it. */
async function update() {
  clearTimeout(state.timer);
  state.stale = true;
  if (state.busy) return;
  state.busy = true;
  try {
    while (state.stale) {
      state.stale = false;
      const begin = performance.now();
      showResult(await requestJson(`${api}/show`, { json: content() }), performance.now() - begin);
    }
    showError(null);
    clearTimeout(state.timer);
    state.timer = setTimeout(examine, PAUSE);
  } catch (error) {
    showError(error);
  } finally {
    state.busy = false;
  }
}

function showResult(shown, milliseconds) {
  state.shown = shown;
  get("yaml").textContent = shown.yaml;
  showDifference(shown.difference);
  showFindings(shown.findings);
  showInvariances(shown.invariances);
  const { pictures } = shown;
  get("grid").classList.toggle("old", pictures === null);
  if (pictures === null) {
    get("status").textContent = "These views cannot be made; the pictures are those before the last change.";
    return;
  }
  showPictures(get("grid"), pictures, get("params").checked);
  get("notes").textContent = pictures.notes.join(" ");
  get("status").textContent = `Epoch ${state.epoch}, seed ${pictures.seed}. Updated in ${Math.round(milliseconds)} ms.`;
}

function showDifference(lines) {
  const classes = { "+": "added", "-": "removed", "@": "place" };
  const parts = lines.map((line) => element("span", { className: classes[line[0]] ?? "" }, `${line}\n`));
  get("difference").replaceChildren(...(parts.length ? parts : ["no difference"]));
}

function showFindings(findings) {
  get("findings").replaceChildren(...cards.showFindings(findings).map(createFinding));
}

function showInvariances(invariances) {
  if (invariances === null) return;
  const texts = Object.entries(invariances).map(
    ([name, operations]) => `${name} (${[...new Set(operations.map((one) => one.use))].join(", ")})`,
  );
  get("invariances").textContent = texts.length
    ? `These views teach a model to overlook ${texts.join("; ")}.`
    : "These views teach a model to overlook nothing.";
}

/** Check the spec as `sslreg check` does, and measure its stages. */
async function examine() {
  if (state.shown?.pictures == null) return;
  try {
    const checked = await requestCheck(`${api}/check`, { json: content() });
    if (checked === null || state.busy) return;
    showFindings(checked.findings);
    const plan = await requestPlan(`${api}/plan`, { json: content() });
    if (plan !== null && !state.busy) showPlan(plan);
  } catch (error) {
    showError(error);
  }
}

function showPlan(plan) {
  const format = (milliseconds) => (milliseconds === undefined ? "" : milliseconds.toFixed(2));
  const entries = [...plan.views, { title: "Embedding view", stages: plan.embed_view }];
  const tables = entries.map((view) => {
    const role = view.role ? ` (${view.role})` : "";
    const sum = view.milliseconds === undefined ? "" : `: ${format(view.milliseconds)} ms each, made ${view.repeat}×`;
    const title = view.title ?? `View ${view.number}${role}${sum}`;
    const head = ["stage", "runs on", "operations", "ms"].map((text) => element("th", { scope: "col" }, text));
    const rows = view.stages.map((stage, index) =>
      element(
        "tr", {}, element("td", {}, String(index + 1)), element("td", {}, stage.place),
        element("td", { className: "long" }, stage.operations.join(" + ")), element("td", {}, format(stage.milliseconds)),
      ),
    );
    const table = element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
    return element("div", {}, element("h3", {}, title), element("div", { className: "scroll" }, table));
  });
  get("plan").replaceChildren(...tables);
}

async function save(overwrite) {
  get("replace").hidden = true;
  get("saved").textContent = "";
  try {
    const answer = await requestJson(`${api}/save`, { json: { ...content(), overwrite } });
    if (answer.exists !== null) {
      get("replace-text").textContent = `${answer.exists} exists.`;
      get("replace").hidden = false;
      get("replace-yes").focus();
      return;
    }
    get("saved").textContent = `Saved as ${answer.saved}`;
    showError(null);
  } catch (error) {
    showError(error);
  }
}

async function copy() {
  try {
    await navigator.clipboard.writeText(state.shown.yaml);
    get("saved").textContent = "Copied.";
  } catch {
    get("saved").textContent = "The browser does not allow to copy; use Download.";
  }
}

function download() {
  const link = URL.createObjectURL(new Blob([state.shown.yaml], { type: "application/yaml" }));
  element("a", { href: link, download: get("file-name").value || "views.yaml" }).click();
  URL.revokeObjectURL(link);
}

function reset() {
  state.views = structuredClone(state.start.views);
  cards.show(state.views);
  update();
}

function connect() {
  get("samples").onchange = update;
  get("file-name").onchange = update;
  get("params").onchange = () => state.shown?.pictures && showPictures(get("grid"), state.shown.pictures, get("params").checked);
  get("redraw").onclick = () => ((state.epoch += 1), update());
  get("reseed").onclick = () => ((state.seed = (state.seed ?? state.shown?.pictures?.seed ?? 0) + 1), update());
  get("reset").onclick = reset;
  get("add-view").onclick = () => {
    state.views.push(structuredClone(state.views.at(-1)));
    cards.change(["views", state.views.length - 1], "copy");
  };
  get("save").onsubmit = (event) => (event.preventDefault(), save(false));
  get("replace-yes").onclick = () => save(true);
  get("replace-no").onclick = () => ((get("replace").hidden = true), get("file-name").focus());
  get("copy").onclick = copy;
  get("download").onclick = download;
}

try {
  state.start = await requestJson(`${api}/start`);
  state.views = structuredClone(state.start.views);
  get("folder").textContent = state.start.folder;
  get("file-name").value = state.start.proposed_name;
  cards = new Cards(get("cards"), state.start.operations, state.start.roles, update);
  cards.show(state.views);
  connect();
  await update();
} catch (error) {
  showError(error);
}
