// The patches of the chosen image and of its nearest ones: principal components, and similarities to one patch.
import { latestRequest, showError } from "./api.js";

const get = (id) => document.getElementById(id);
const api = `/api/features/${get("features").dataset.run}`;
const SIDE = 320, STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
const requestPatches = latestRequest(), requestSimilarities = latestRequest();

let chosen = null, patches = null, similarities = null, place = [0, 0], rows = [];

function loadPicture(source) {
  return new Promise((resolve, reject) => {
    const picture = new Image();
    picture.onload = () => resolve(picture);
    picture.onerror = () => reject(new Error("a picture cannot be loaded"));
    picture.src = source;
  });
}

/** Build a row of canvases. The first one is where a patch is chosen. */
function buildRow(title, name) {
  const row = document.createElement("div"), subject = document.createElement("p");
  row.className = "patch-row";
  subject.className = "subject";
  subject.textContent = title;
  const canvases = patches.keys.map((_, number) => {
    const canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
    canvas.style.aspectRatio = `${patches.columns} / ${patches.rows}`;
    canvas.height = Math.round((SIDE * patches.rows) / patches.columns);
    const label = number === 0 ? "Patches of the image. Arrow keys choose a patch." : `Patches of neighbor ${number}`;
    canvas.setAttribute("aria-label", `${title}: ${label}`);
    canvas.setAttribute("role", number === 0 ? "application" : "img");
    if (number === 0) {
      canvas.tabIndex = 0;
      canvas.addEventListener("click", (event) => choosePatch(event, canvas));
      canvas.addEventListener("keydown", movePatch);
    }
    return canvas;
  });
  row.append(subject, ...canvases);
  return { row, canvases, name };
}

function choosePatch(event, canvas) {
  const box = canvas.getBoundingClientRect();
  const row = Math.floor(((event.clientY - box.top) / box.height) * patches.rows);
  const column = Math.floor(((event.clientX - box.left) / box.width) * patches.columns);
  setPlace(row, column);
}

function movePatch(event) {
  if (!(event.key in STEPS) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  setPlace(place[0] + STEPS[event.key][0], place[1] + STEPS[event.key][1]);
}

async function setPlace(row, column) {
  const limit = (value, count) => Math.min(count - 1, Math.max(0, value));
  place = [limit(row, patches.rows), limit(column, patches.columns)];
  get("components").checked = false;
  await loadSimilarities();
}

async function loadSimilarities() {
  try {
    const answer = await requestSimilarities(`${api}/images/${chosen}/similarities?row=${place[0]}&column=${place[1]}`);
    if (answer === null) return;
    similarities = answer;
    showError(null);
    draw();
  } catch (error) {
    showError(error);
  }
}

/** Draw similarities as gray levels, stretched to the whole range. */
function drawSimilarities(context, values) {
  const { width, height } = context.canvas, across = width / patches.columns, down = height / patches.rows;
  const low = Math.min(...values), spread = Math.max(...values) - low || 1;
  values.forEach((value, number) => {
    const level = Math.round((255 * (value - low)) / spread);
    context.fillStyle = `rgb(${level} ${level} ${level})`;
    // Whole pixels leave no seams.
    const left = Math.floor((number % patches.columns) * across), top = Math.floor(Math.floor(number / patches.columns) * down);
    context.fillRect(left, top, Math.ceil(across) + 1, Math.ceil(down) + 1);
  });
}

function draw() {
  const isSimilarity = !get("components").checked && similarities !== null;
  for (const { canvases, name, pictures, views } of rows) {
    canvases.forEach((canvas, number) => {
      const context = canvas.getContext("2d");
      context.imageSmoothingEnabled = false;
      context.clearRect(0, 0, canvas.width, canvas.height);
      const picture = name === null ? views[number] : pictures[number];
      if (isSimilarity && name !== null) drawSimilarities(context, similarities[name][number]);
      else context.drawImage(picture, 0, 0, canvas.width, canvas.height);
      if (number === 0) frame(context);
    });
  }
  const title = `Patch in row ${place[0] + 1} of ${patches.rows}, column ${place[1] + 1} of ${patches.columns}.`;
  get("patch-text").textContent = isSimilarity ? title : "";
}

/** Frame the chosen patch by two colors, of which one stands out from any image. */
function frame(context) {
  const across = context.canvas.width / patches.columns, down = context.canvas.height / patches.rows;
  const box = [place[1] * across, place[0] * down, across, down];
  context.lineWidth = 5;
  context.strokeStyle = "#fff";
  context.strokeRect(...box);
  context.lineWidth = 2;
  context.strokeStyle = "#a1262d";
  context.strokeRect(...box);
}

async function show(key) {
  const answer = await requestPatches(`${api}/images/${key}/patches`);
  if (answer === null) return;
  const views = await Promise.all(answer.keys.map((one) => loadPicture(`${api}/images/${one}`)));
  const pictures = await Promise.all(answer.subjects.map((one) => Promise.all(one.pictures.map(loadPicture))));
  if (chosen !== key) return;
  patches = answer;
  similarities = null;
  place = [Math.floor(patches.rows / 2), Math.floor(patches.columns / 2)];
  rows = [
    { ...buildRow("images, the chosen one first", null), views },
    ...patches.subjects.map(({ name }, at) => ({ ...buildRow(name, name), views, pictures: pictures[at] })),
  ];
  get("patch-rows").replaceChildren(...rows.map(({ row }) => row));
  get("patches").hidden = false;
  if (get("components").checked) draw();
  else await loadSimilarities();
}

document.addEventListener("chosen", async ({ detail }) => {
  if (!detail.has_patches) return;
  chosen = detail.key;
  try {
    await show(chosen);
  } catch (error) {
    showError(error);
  }
});
get("components").addEventListener("change", () => (similarities === null ? loadSimilarities() : draw()));
