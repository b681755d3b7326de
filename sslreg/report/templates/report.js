// Shows the image of the point on a map that is hovered, tapped or selected with the arrow keys.
"use strict";

const collections = JSON.parse(document.getElementById("collections").textContent);
// In CSS pixels: the distance at which a pointer selects a point, and the size of its image.
const REACH = 24, SHOWN = 96;

function thumbnailStyle(collection, row, element) {
  const { side, columns, rows, number } = collection;
  const zoom = side < SHOWN / 2 ? Math.floor(SHOWN / side) : SHOWN / side;
  const size = side * zoom;
  element.className = `thumbnail sprite-${number}` + (side < SHOWN / 2 ? " pixels" : "");
  element.style.width = element.style.height = `${size}px`;
  element.style.backgroundSize = `${columns * size}px ${rows * size}px`;
  element.style.backgroundPosition = `${-(row % columns) * size}px ${-Math.floor(row / columns) * size}px`;
}

function activateMap(map) {
  const plane = map.querySelector(".plane"), svg = plane.querySelector("svg"), ring = plane.querySelector(".ring");
  const tip = plane.querySelector(".tip"), caption = tip.querySelector("p");
  const collection = collections[map.dataset.collection], points = JSON.parse(map.dataset.places);
  let current = -1;

  function show(row) {
    current = row;
    const [x, y] = points[row], box = svg.getBoundingClientRect(), scale = box.width / svg.viewBox.baseVal.width;
    ring.setAttribute("cx", x);
    ring.setAttribute("cy", y);
    ring.removeAttribute("hidden");
    thumbnailStyle(collection, row, tip.querySelector(".thumbnail"));
    caption.textContent = [collection.names[row], collection.labels[row]].filter((text) => text !== null).join(" · ");
    tip.hidden = false;
    const left = Math.min(Math.max(0, x * scale - tip.offsetWidth / 2), box.width - tip.offsetWidth);
    const below = y * scale + 14, fits = below + tip.offsetHeight <= box.height;
    tip.style.left = `${left}px`;
    tip.style.top = `${fits ? below : Math.max(0, y * scale - 14 - tip.offsetHeight)}px`;
  }

  function hide() {
    tip.hidden = true;
    ring.setAttribute("hidden", "");
  }

  function nearestPoint(event) {
    const box = svg.getBoundingClientRect(), scale = box.width / svg.viewBox.baseVal.width;
    const x = (event.clientX - box.left) / scale, y = (event.clientY - box.top) / scale;
    let found = -1, least = (REACH / scale) ** 2;
    points.forEach(([left, top], row) => {
      const distance = (left - x) ** 2 + (top - y) ** 2;
      if (distance < least) [found, least] = [row, distance];
    });
    return found;
  }

  // Find the nearest point within 45 degrees of a direction.
  function pointTowards(dx, dy) {
    const [x, y] = points[current];
    let found = current, least = Infinity;
    points.forEach(([left, top], row) => {
      const ahead = (left - x) * dx + (top - y) * dy, aside = Math.abs((left - x) * dy) + Math.abs((top - y) * dx);
      if (row !== current && ahead > 0 && aside <= ahead && ahead + aside < least) [found, least] = [row, ahead + aside];
    });
    return found;
  }

  const showNearest = (event) => {
    const row = nearestPoint(event);
    if (row < 0) hide();
    else show(row);
  };
  const keys = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  plane.tabIndex = 0;
  plane.setAttribute("role", "application");
  plane.addEventListener("pointermove", (event) => event.pointerType === "mouse" && showNearest(event));
  plane.addEventListener("click", showNearest);
  plane.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hide());
  plane.addEventListener("focus", () => plane.matches(":focus-visible") && show(Math.max(0, current)));
  plane.addEventListener("blur", hide);
  plane.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
    if (!(event.key in keys)) return;
    event.preventDefault();
    show(current < 0 ? 0 : pointTowards(...keys[event.key]));
  });
}

document.querySelectorAll(".map").forEach(activateMap);
document.querySelectorAll(".with-script").forEach((element) => (element.hidden = false));
