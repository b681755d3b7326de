// Reads values off charts: at the pointer, at a tap, or with the arrow keys of a chart that has the focus.
"use strict";
{
  // Charts are drawn 1000 wide and 300 high. A line is not read farther than this beyond its ends.
  const WIDTH = 1000, HEIGHT = 300, REACH = 10;

  const plots = new WeakMap();
  // The chart that is read now, and where the last one was read: the name of its part of the page, and the position as
  // text. When that part is replaced, the chart in it loses the focus, and its curves are stretched.
  let active = null, last = { name: null, left: 0, at: "" };

  const nearest = (points, left) =>
    points.reduce((best, point) => (Math.abs(point[0] - left) < Math.abs(best[0] - left) ? point : best));
  const closest = (lefts, left) => lefts.reduce((best, one) => (Math.abs(one - left) < Math.abs(best - left) ? one : best));

  function create(tag, className, text = "") {
    const made = document.createElement(tag);
    made.className = className;
    made.textContent = text;
    return made;
  }

  function nameOf(plot) {
    return plot.closest("[data-part]")?.dataset.part ?? null;
  }

  function activate(plot) {
    const lines = JSON.parse(plot.dataset.lines);
    const lefts = [...new Set(lines.flatMap((line) => line.points.map((point) => point[0])))].sort((a, b) => a - b);
    if (!lefts.length) return;
    plots.set(plot, { lines, lefts });
    plot.setAttribute("role", "slider");
    plot.setAttribute("aria-valuemin", 0);
    plot.setAttribute("aria-valuemax", lefts.length - 1);
    announce(plot, lefts.at(-1));
  }

  /** Return the position of a point, and each line that has a value there. */
  function read(plot, left) {
    const { lines } = plots.get(plot);
    const near = lines.map((line) => ({ ...line, point: nearest(line.points, left) }));
    const shown = near.filter(({ point }) => Math.abs(point[0] - left) <= REACH);
    return { at: nearest(shown.map(({ point }) => point), left)[2], shown };
  }

  function announce(plot, left) {
    const { at, shown } = read(plot, left);
    plot.setAttribute("aria-valuenow", plots.get(plot).lefts.indexOf(left));
    plot.setAttribute("aria-valuetext", `${at}: ${shown.map((line) => `${line.label} ${line.point[3]}`).join(", ")}`);
  }

  function show(plot, left) {
    hide();
    active = plot;
    const { at, shown } = read(plot, left);
    last = { name: nameOf(plot), left, at };
    announce(plot, left);
    const layer = create("div", "readout");
    const rule = create("div", "rule");
    rule.style.left = `${(100 * left) / WIDTH}%`;
    const box = create("div", "tip");
    box.append(create("p", "", at));
    for (const { label, style, point } of shown) {
      const dot = create("div", `dot ${style}`);
      dot.style.left = `${(100 * point[0]) / WIDTH}%`;
      dot.style.top = `${(100 * Math.min(Math.max(point[1], 0), HEIGHT)) / HEIGHT}%`;
      const other = point[2] === at ? "" : ` (${point[2]})`;
      const row = create("p", style, `${point[3]}${other}`);
      if (shown.length > 1 || plots.get(plot).lines.length > 1) row.prepend(create("span", "who", `${label} `));
      layer.append(dot);
      box.append(row);
    }
    layer.append(rule, box);
    plot.append(layer);
    const place = (left / WIDTH) * plot.clientWidth;
    const space = plot.clientWidth - box.offsetWidth;
    box.style.left = `${Math.max(0, Math.min(space, place > plot.clientWidth / 2 ? place - box.offsetWidth - 12 : place + 12))}px`;
  }

  function hide() {
    active?.querySelector(".readout")?.remove();
    active = null;
  }

  function showAt(event) {
    const plot = event.target.closest?.(".plot[data-lines]");
    if (!plot || !plots.has(plot)) return false;
    const box = plot.getBoundingClientRect();
    const left = ((event.clientX - box.left) / box.width) * WIDTH;
    show(plot, closest(plots.get(plot).lefts, left));
    return true;
  }

  document.addEventListener("pointermove", (event) => {
    if (!showAt(event) && active && active !== document.activeElement && event.pointerType === "mouse") hide();
  });
  document.addEventListener("pointerdown", (event) => { if (!showAt(event)) hide(); });
  document.addEventListener("focusin", (event) => {
    const plot = event.target;
    if (!plots.has(plot) || active === plot) return;
    if (plot.matches(":focus-visible")) show(plot, plots.get(plot).lefts.at(-1));
  });
  document.addEventListener("focusout", (event) => { if (event.target === active) hide(); });
  document.addEventListener("keydown", (event) => {
    const plot = document.activeElement;
    if (!plots.has(plot) || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Escape") return hide();
    const { lefts } = plots.get(plot);
    const end = lefts.length - 1, tenth = Math.max(1, Math.round(end / 10));
    const from = active === plot ? lefts.indexOf(last.left) : end;
    const to = {
      ArrowLeft: from - 1, ArrowDown: from - 1, ArrowRight: from + 1, ArrowUp: from + 1,
      PageDown: from - tenth, PageUp: from + tenth, Home: 0, End: end,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    show(plot, lefts[Math.max(0, Math.min(end, to))]);
  });

  /** Activate the charts that are new on the page, and continue to read the one that was replaced. */
  function refresh() {
    for (const plot of document.querySelectorAll(".plot[data-lines]")) {
      if (!plots.has(plot)) activate(plot);
    }
    if (active?.isConnected) return;
    const wasRead = (plot) => nameOf(plot) === last.name && (active !== null || plot === document.activeElement);
    const after = last.name && [...document.querySelectorAll(".plot[data-lines]")].find(wasRead);
    hide();
    if (!after) return;
    const { lines, lefts } = plots.get(after);
    const same = lines.flatMap((line) => line.points).find((point) => point[2] === last.at);
    show(after, same ? same[0] : closest(lefts, last.left));
  }

  document.addEventListener("partschange", refresh);
  refresh();
}
