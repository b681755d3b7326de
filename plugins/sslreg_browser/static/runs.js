// The pages of runs: live parts, and the selection of runs that are shown side by side.

import { followChanges } from "./live.js";

const MAX_RUNS = 6;

function updateSelection(form) {
  const count = form.querySelectorAll("input[name=run]:checked").length;
  form.querySelector("#overlay").disabled = count < 1 || count > MAX_RUNS;
  const limit = count > MAX_RUNS ? `, at most ${MAX_RUNS} fit` : "";
  form.querySelector("#selected").textContent = count ? `${count} selected${limit}` : `Select up to ${MAX_RUNS} runs.`;
}

const region = document.querySelector("[data-live]");
const form = region.querySelector("form.selection");
if (form) {
  form.addEventListener("change", () => updateSelection(form));
  updateSelection(form);
}
followChanges(region, () => form && updateSelection(form));
