// The pages of runs: live parts, the selection of runs that are shown side by side, and commands to copy.

import "./chart_readout.js";
import { followChanges } from "./live.js";

const MAX_RUNS = 6;

function updateSelection(form) {
  const count = form.querySelectorAll("input[name=run]:checked").length;
  form.querySelector("#overlay").disabled = count < 1 || count > MAX_RUNS;
  const limit = count > MAX_RUNS ? `, at most ${MAX_RUNS} fit` : "";
  form.querySelector("#selected").textContent = count ? `${count} selected${limit}` : `Select up to ${MAX_RUNS} runs.`;
}

async function copyCommand(button) {
  const code = button.parentElement.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    // The browser does not allow it: the user can press Ctrl-C now.
    getSelection().selectAllChildren(code);
    button.textContent = "Selected";
  }
}

const region = document.querySelector("[data-live]");
const form = region.querySelector("form.selection");
if (form) {
  form.addEventListener("change", () => updateSelection(form));
  updateSelection(form);
}
region.addEventListener("click", (event) => {
  if (event.target.matches("[data-copy]")) copyCommand(event.target);
});
followChanges(region, () => {
  if (form) updateSelection(form);
  document.dispatchEvent(new Event("partschange"));
});
