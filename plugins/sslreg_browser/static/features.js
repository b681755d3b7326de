// The page of a run's features: embeds its images, shows their map, and the nearest images of a chosen one.
import { latestRequest, request, requestJson, showError } from "./api.js";
import { EmbeddingMap } from "./embedding_map.js";

const POLL_MS = 500, LARGEST_FILE = 20_000_000;
const get = (id) => document.getElementById(id);
const api = `/api/features/${get("features").dataset.run}`;
const thumbnail = (row) => `${api}/thumbnails/${row}`;

const STAGES = {
  none: "Starting …",
  waiting: "Waiting for another run …",
  loading: "Loading the run …",
  embedding: "Embedding images",
  projecting: "The map shows principal components. A t-SNE is being made …",
  ready: "",
};
let names = [], labels = [], hasPatches = false;

/** Show small pictures with square pixels. */
function sharpen(image) {
  image.addEventListener("load", () => image.classList.toggle("pixels", image.naturalWidth <= 64));
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const map = new EmbeddingMap(get("map"), { onPoint: showTip, onChoose: (row) => choose(row) });

function showTip(row, x, y) {
  const tip = get("tip"), plane = get("plane");
  tip.hidden = row < 0;
  if (row < 0) return;
  const source = thumbnail(row);
  if (get("tip-image").getAttribute("src") !== source) get("tip-image").src = source;
  get("tip-text").textContent = [names[row], labels[row]].filter((text) => text !== null).join(" · ");
  const left = Math.min(Math.max(0, x - tip.offsetWidth / 2), plane.clientWidth - tip.offsetWidth);
  const isBelow = y + 14 + tip.offsetHeight <= plane.clientHeight;
  tip.style.left = `${left}px`;
  tip.style.top = `${isBelow ? y + 14 : Math.max(0, y - 14 - tip.offsetHeight)}px`;
}

function showClasses(classes) {
  const shown = classes.filter(({ name }) => name !== null);
  get("classes").replaceChildren(
    ...shown.map(({ name, mark }, number) => {
      const button = element("button", { className: `class-${number % 10}`, type: "button" });
      button.setAttribute("aria-pressed", "true");
      button.innerHTML = '<svg viewBox="-5 -5 10 10" aria-hidden="true"><path/></svg>';
      button.querySelector("path").setAttribute("d", `M0 0${mark}`);
      button.append(name);
      button.addEventListener("click", () => button.setAttribute("aria-pressed", String(map.toggle(number))));
      return element("li", {}, button);
    }),
  );
}

function showUnreadable(count, texts) {
  const details = get("unreadable");
  details.hidden = count === 0;
  details.querySelector("summary").textContent = `${count} unreadable images are left out`;
  details.querySelector("ul").replaceChildren(...texts.map((text) => element("li", { className: "name", textContent: text })));
}

async function loadMap() {
  const data = await requestJson(`${api}/map`);
  const isFirst = names.length === 0;
  names = data.names;
  labels = new Array(names.length).fill(null);
  for (const { name, rows } of data.classes) for (const row of rows) labels[row] = name;
  get("map-note").textContent = `${data.note} Drag and scroll to move and zoom; choose a point to see its neighbors.`;
  if (isFirst) showClasses(data.classes);
  showUnreadable(data.unreadable_count, data.unreadable);
  map.show(data.points, data.classes);
  if (isFirst) await choose(0);
}

const requestNeighbors = latestRequest();

async function choose(key) {
  try {
    const answer = await requestNeighbors(`${api}/images/${key}/neighbors`);
    if (answer !== null) showChosen(answer);
  } catch (error) {
    showError(error);
  }
}

function showChosen(image) {
  showError(null);
  get("chosen-image").src = `${api}/images/${image.key}`;
  get("chosen-image").hidden = false;
  get("chosen-name").textContent = image.name;
  get("chosen-label").textContent = image.label === null ? "" : `· ${image.label}`;
  get("neighbors").replaceChildren(...image.subjects.map((subject) => listNeighbors(subject, image.label)));
  const trained = image.subjects.find(({ name }) => name === "trained");
  map.mark(image.row ?? -1, trained.neighbors.map(([row]) => row));
  document.dispatchEvent(new CustomEvent("chosen", { detail: { ...image, has_patches: hasPatches } }));
}

function listNeighbors({ title, neighbors }, label) {
  const items = neighbors.map(([row, similarity]) => {
    const image = element("img", { alt: names[row], title: names[row], width: 72, height: 72 });
    sharpen(image);
    image.src = thumbnail(row);
    const text = labels[row] === null ? [] : [labels[row], element("br")];
    const button = element("button", { type: "button" }, image, ...text, element("small", { textContent: similarity }));
    button.addEventListener("click", () => choose(row));
    return element("li", { className: label !== null && labels[row] === label ? "same" : "" }, button);
  });
  const same = items.filter(({ className }) => className === "same").length;
  const count = label === null ? "" : `, ${same} of ${items.length} of the same class`;
  return element("div", {}, element("p", { className: "subject", textContent: title + count }), element("ol", {}, ...items));
}

async function addFile(file) {
  if (file.size > LARGEST_FILE) {
    showError(new Error(`${file.name} is larger than ${LARGEST_FILE / 1e6} MB`));
    return;
  }
  get("drop").setAttribute("aria-busy", "true");
  try {
    showChosen(await requestJson(`${api}/images?name=${encodeURIComponent(file.name)}`, { body: file }));
  } catch (error) {
    showError(error);
  } finally {
    get("drop").removeAttribute("aria-busy");
  }
}

function acceptFiles() {
  const drop = get("drop");
  get("file").addEventListener("change", ({ target }) => {
    if (target.files.length) addFile(target.files[0]);
    target.value = "";
  });
  // A file that misses the field must not replace the page.
  for (const type of ["dragover", "drop"]) {
    document.addEventListener(type, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      drop.classList.toggle("over", type === "dragover");
      if (type === "drop" && event.dataTransfer.files.length) addFile(event.dataTransfer.files[0]);
    });
  }
  document.addEventListener("dragleave", () => drop.classList.remove("over"));
}

/** Follow the build until its map is final. */
async function follow() {
  let status = await requestJson(api, { json: {} }), shownMap = "";
  for (;;) {
    const { stage, done, total } = status;
    hasPatches = status.has_patches;
    const count = stage === "embedding" && total ? `: ${done.toLocaleString("en")} of ${total.toLocaleString("en")}` : "";
    get("stage").textContent = stage === "failed" ? "" : STAGES[stage] + count;
    get("progress").hidden = !["waiting", "loading", "embedding"].includes(stage);
    if (stage === "embedding" && total) get("progress").value = done / total;
    get("again").hidden = !status.is_outdated;
    if (status.has_map && shownMap !== stage) {
      shownMap = stage;
      await loadMap();
    }
    if (stage === "failed") throw new Error(status.error);
    if (stage === "ready") return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    status = await requestJson(api);
  }
}

async function start() {
  try {
    await follow();
  } catch (error) {
    get("progress").hidden = true;
    showError(error);
  }
}

get("again").addEventListener("click", async () => {
  get("again").hidden = true;
  names = [];
  await request(api, { json: { anew: true } }).catch(showError);
  await start();
});
get("zoom-in").addEventListener("click", () => map.zoomBy(1.5));
get("zoom-out").addEventListener("click", () => map.zoomBy(1 / 1.5));
get("zoom-reset").addEventListener("click", () => map.reset());
sharpen(get("tip-image"));
sharpen(get("chosen-image"));
acceptFiles();
start();
