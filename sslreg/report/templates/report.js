// Shows the image of a point on a map: under the pointer, where a finger taps, or where the arrow keys lead.
"use strict";

const collections = JSON.parse(document.getElementById("collections").textContent);
// In CSS pixels: how near a pointer has to come to a point, and how large its image is shown.
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

function activate(map) {
  const plane = map.querySelector(".plane"), svg = plane.querySelector("svg"), ring = plane.querySelector(".ring");
  const tip = plane.querySelector(".tip"), said = tip.querySelector("p");
  const collection = collections[map.dataset.collection], places = JSON.parse(map.dataset.places);
  let current = -1;

  function show(row) {
    current = row;
    const [x, y] = places[row], box = svg.getBoundingClientRect(), scale = box.width / svg.viewBox.baseVal.width;
    ring.setAttribute("cx", x);
    ring.setAttribute("cy", y);
    ring.removeAttribute("hidden");
    thumbnailStyle(collection, row, tip.querySelector(".thumbnail"));
    said.textContent = [collection.names[row], collection.labels[row]].filter((text) => text !== null).join(" · ");
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

  function nearest(event) {
    const box = svg.getBoundingClientRect(), scale = box.width / svg.viewBox.baseVal.width;
    const x = (event.clientX - box.left) / scale, y = (event.clientY - box.top) / scale;
    let found = -1, least = (REACH / scale) ** 2;
    places.forEach(([left, top], row) => {
      const distance = (left - x) ** 2 + (top - y) ** 2;
      if (distance < least) [found, least] = [row, distance];
    });
    return found;
  }

  // The nearest point within 45 degrees of a direction.
  function towards(dx, dy) {
    const [x, y] = places[current];
    let found = current, least = Infinity;
    places.forEach(([left, top], row) => {
      const ahead = (left - x) * dx + (top - y) * dy, aside = Math.abs((left - x) * dy) + Math.abs((top - y) * dx);
      if (row !== current && ahead > 0 && aside <= ahead && ahead + aside < least) [found, least] = [row, ahead + aside];
    });
    return found;
  }

  const point = (event) => {
    const row = nearest(event);
    if (row < 0) hide();
    else show(row);
  };
  const keys = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  plane.tabIndex = 0;
  plane.setAttribute("role", "application");
  plane.addEventListener("pointermove", (event) => event.pointerType === "mouse" && point(event));
  plane.addEventListener("click", point);
  plane.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hide());
  plane.addEventListener("focus", () => plane.matches(":focus-visible") && show(Math.max(0, current)));
  plane.addEventListener("blur", hide);
  plane.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
    if (!(event.key in keys)) return;
    event.preventDefault();
    show(current < 0 ? 0 : towards(...keys[event.key]));
  });
}

document.querySelectorAll(".map").forEach(activate);
document.querySelectorAll(".with-script").forEach((element) => (element.hidden = false));
