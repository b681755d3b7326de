// The table of images and their views. Pictures are replaced in place, so that nothing moves.

import { element } from "./dom.js";

/** Show pictures in a table, with what was drawn under each view if `params`. */
export function showPictures(table, pictures, params) {
  const shape = JSON.stringify([pictures.titles, pictures.rows.map((row) => [row.name, row.error])]);
  if (table.dataset.shape !== shape) {
    table.replaceChildren(createHead(pictures.titles), element("tbody", {}, ...pictures.rows.map((row) => createRow(row, pictures.titles))));
    table.dataset.shape = shape;
  }
  [...table.tBodies[0].rows].forEach((line, number) => {
    const row = pictures.rows[number];
    if (row.error) return;
    fill(line.cells[0].querySelector("img"), row.original);
    row.tiles.forEach((tile, index) => fillTile(line.cells[index + 1], tile, params));
  });
}

function createHead(titles) {
  const cells = ["original", ...titles].map((title) => element("th", { scope: "col" }, title));
  return element("thead", {}, element("tr", {}, ...cells));
}

function createRow(row, titles) {
  const name = element("small", { className: "name" }, row.label ? `${row.name} · ${row.label}` : row.name);
  if (row.error) {
    const reason = element("td", { colSpan: titles.length, className: "wrong" }, `Cannot be shown: ${row.error}`);
    return element("tr", {}, element("th", { scope: "row" }, name), reason);
  }
  const tiles = titles.map((title) => element("td", {}, element("img", { alt: title }), element("ul", { className: "drawn" })));
  return element("tr", {}, element("th", { scope: "row" }, element("img", { alt: "original" }), name), ...tiles);
}

function fill(image, picture) {
  if (image.src !== picture.src) image.src = picture.src;
  image.width = picture.width;
  image.height = picture.height;
  image.className = Math.max(picture.width, picture.height) <= 64 ? "pixels" : "";
}

function fillTile(cell, tile, params) {
  fill(cell.querySelector("img"), tile);
  cell.title = tile.params.join("\n");
  cell.querySelector("ul").replaceChildren(...(params ? tile.params : []).map((line) => element("li", {}, line)));
}
