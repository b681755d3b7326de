// A map of many points on a canvas, with pan and zoom by mouse, touch and keyboard.

// The size of the map in its own units, as in reports, and the number of colors of classes.
const WIDTH = 640, HEIGHT = 480, COLORS = 10;
// In CSS pixels: the distance at which a pointer selects a point, and the movement that makes a click a drag.
const REACH = 24, DRAG = 5;
const LARGEST_ZOOM = 200, STEP = 1.5, MOVE_MS = 600, OPACITY = 0.85;

/**
 * Return the pixels of the mark of each class: their places around its center and their opacities.
 *
 * colors: the color of each class; marks: its path in SVG, around the origin.
 */
function rasterMarks(colors, marks, scale) {
  const side = Math.ceil(12 * scale), half = side >> 1;
  const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.lineCap = context.lineJoin = "round";
  return colors.map((color, number) => {
    const isDot = marks[number] === "h0"; // SVG draws a line without length, but a canvas does not
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, side, side);
    context.setTransform(scale, 0, 0, scale, half, half);
    context.strokeStyle = color;
    context.lineWidth = isDot ? 5 : 1.75;
    context.stroke(new Path2D(`M0 0${isDot ? "h.01" : marks[number]}`));
    const { data } = context.getImageData(0, 0, side, side), pixels = [];
    for (let at = 0; at < side * side; at++) {
      if (data[4 * at + 3] > 8) pixels.push((at % side) - half, Math.floor(at / side) - half, ...data.slice(4 * at, 4 * at + 4));
    }
    return Float64Array.from(pixels);
  });
}

/**
 * Draw a mark over an image, pixel by pixel.
 *
 * Twenty thousand copies of a canvas take ten times longer where no graphics processor helps.
 */
function drawMark({ data, width, height }, pixels, x, y) {
  for (let at = 0; at < pixels.length; at += 6) {
    const column = x + pixels[at], row = y + pixels[at + 1];
    if (column < 0 || row < 0 || column >= width || row >= height) continue;
    const to = 4 * (row * width + column), alpha = (OPACITY * pixels[at + 5]) / 255, below = (data[to + 3] / 255) * (1 - alpha);
    const sum = alpha + below, share = alpha / sum;
    data[to] += (pixels[at + 2] - data[to]) * share;
    data[to + 1] += (pixels[at + 3] - data[to + 1]) * share;
    data[to + 2] += (pixels[at + 4] - data[to + 2]) * share;
    data[to + 3] = 255 * sum;
  }
}

export class EmbeddingMap {
  /**
   * canvas: the canvas.
   * onPoint: called with the row of the point under the pointer or the keyboard, and its place on the canvas; -1 for none.
   * onChoose: called with the row of a point that is clicked, tapped or chosen by Enter.
   */
  constructor(canvas, { onPoint, onChoose }) {
    Object.assign(this, { canvas, onPoint, onChoose });
    this.points = new Float32Array(0);
    this.classOf = new Uint16Array(0);
    this.classes = [];
    this.hidden = new Set();
    this.current = this.chosen = -1;
    this.neighbors = [];
    this.zoom = 1;
    this.left = this.top = 0; // the place of the map's origin on the canvas, in CSS pixels
    this.pointers = new Map();
    this.isMoved = false;
    this.listen();
  }

  /** Show points. Those of a map with as many points move to their new places. */
  show(points, classes) {
    const before = this.points, moves = before.length === points.length && before.length > 0;
    const target = Float32Array.from(points);
    this.classes = classes;
    this.classOf = new Uint16Array(points.length / 2);
    classes.forEach(({ rows }, number) => rows.forEach((row) => (this.classOf[row] = number)));
    cancelAnimationFrame(this.animation);
    if (!moves || matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.points = target;
      this.restyle();
      return;
    }
    const start = performance.now(), from = before.slice();
    this.points = before.slice();
    this.restyle();
    const move = (now) => {
      const share = Math.min(1, (now - start) / MOVE_MS), eased = 1 - (1 - share) ** 3;
      for (let at = 0; at < target.length; at++) this.points[at] = from[at] + (target[at] - from[at]) * eased;
      this.draw();
      if (share < 1) this.animation = requestAnimationFrame(move);
    };
    this.animation = requestAnimationFrame(move);
  }

  /** Mark a chosen point and its neighbors, by their rows. */
  mark(chosen, neighbors) {
    this.chosen = chosen;
    this.neighbors = neighbors;
    this.redraw();
  }

  /** Show or hide the points of a class. */
  toggle(number) {
    if (!this.hidden.delete(number)) this.hidden.add(number);
    this.redraw();
    return !this.hidden.has(number);
  }

  zoomBy(factor, x = this.width / 2, y = this.height / 2) {
    const zoom = Math.min(LARGEST_ZOOM, Math.max(1, this.zoom * factor)), change = zoom / this.zoom;
    this.zoom = zoom;
    this.left = x - (x - this.left) * change;
    this.top = y - (y - this.top) * change;
    this.redraw();
  }

  reset() {
    this.zoom = 1;
    this.left = this.top = 0;
    this.redraw();
  }

  /** Read colors and sizes anew, which depend on the color scheme and the window. */
  restyle() {
    const probe = document.createElement("span"), ratio = devicePixelRatio || 1;
    this.canvas.after(probe);
    const colors = this.classes.map((_, number) => {
      probe.className = `class-${number % COLORS}`;
      return getComputedStyle(probe).getPropertyValue("--own").trim();
    });
    this.ink = getComputedStyle(probe).getPropertyValue("--ink").trim();
    this.accent = getComputedStyle(probe).getPropertyValue("--accent").trim();
    probe.remove();
    this.ratio = ratio;
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.image = this.width ? new ImageData(this.canvas.width, this.canvas.height) : null;
    const isCrowd = this.classOf.length > 5000;
    this.marks = rasterMarks(colors, this.classes.map(({ mark }) => mark), isCrowd ? 0.7 * ratio : ratio);
    this.draw();
  }

  redraw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  /** The factor from the units of the map to CSS pixels. */
  get scale() {
    return (this.zoom * this.width) / WIDTH;
  }

  place(row) {
    return [this.left + this.points[2 * row] * this.scale, this.top + this.points[2 * row + 1] * this.scale];
  }

  draw() {
    if (!this.image) return;
    // The map always covers the canvas.
    const { width, height } = this, scale = this.scale;
    this.left = Math.min(0, Math.max(width - WIDTH * scale, this.left));
    this.top = Math.min(0, Math.max(height - HEIGHT * scale, this.top));
    const { image, ratio, points, classOf, marks, hidden } = this, context = this.canvas.getContext("2d");
    image.data.fill(0);
    const margin = 12 * ratio;
    for (let row = 0; row < classOf.length; row++) {
      const x = (this.left + points[2 * row] * scale) * ratio, y = (this.top + points[2 * row + 1] * scale) * ratio;
      if (x < -margin || y < -margin || x > image.width + margin || y > image.height + margin) continue;
      if (!hidden.has(classOf[row])) drawMark(image, marks[classOf[row]], Math.round(x), Math.round(y));
    }
    context.putImageData(image, 0, 0);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (const row of this.neighbors) this.drawRing(context, row, 6, this.accent, 1.5);
    if (this.chosen >= 0) this.drawRing(context, this.chosen, 9, this.accent, 3);
    if (this.current >= 0) this.drawRing(context, this.current, 9, this.ink, 2);
  }

  drawRing(context, row, radius, color, width) {
    const [x, y] = this.place(row);
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.strokeStyle = color;
    context.lineWidth = width;
    context.stroke();
  }

  /** Return the row of the shown point that is nearest to a place within reach; -1 without one. */
  nearest(x, y) {
    let found = -1, least = REACH ** 2;
    for (let row = 0; row < this.classOf.length; row++) {
      if (this.hidden.has(this.classOf[row])) continue;
      const [left, top] = this.place(row), distance = (left - x) ** 2 + (top - y) ** 2;
      if (distance < least) [found, least] = [row, distance];
    }
    return found;
  }

  /** Return the row of the nearest shown point within 45 degrees of a direction. */
  towards(dx, dy) {
    const [x, y] = this.place(this.current);
    let found = this.current, least = Infinity;
    for (let row = 0; row < this.classOf.length; row++) {
      const [left, top] = this.place(row);
      const ahead = (left - x) * dx + (top - y) * dy, aside = Math.abs((left - x) * dy) + Math.abs((top - y) * dx);
      if (row === this.current || ahead <= 0 || aside > ahead || this.hidden.has(this.classOf[row])) continue;
      if (ahead + aside < least) [found, least] = [row, ahead + aside];
    }
    return found;
  }

  /** Select a point as the pointer or the keyboard does; -1 selects none. */
  select(row) {
    if (row !== this.current) {
      this.current = row;
      this.redraw();
    }
    if (row < 0) this.onPoint(-1);
    else this.onPoint(row, ...this.place(row));
  }

  listen() {
    const { canvas } = this;
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, at(event));
      if (this.pointers.size === 1) [this.isMoved, this.start] = [false, at(event)];
    });
    canvas.addEventListener("pointermove", (event) => this.onMove(event, at(event)));
    const release = (event) => {
      const wasDown = this.pointers.delete(event.pointerId);
      if (this.pointers.size === 0) canvas.classList.remove("moving");
      if (!wasDown || this.isMoved || event.type !== "pointerup") return;
      const row = this.nearest(...at(event));
      this.select(row);
      if (row >= 0) this.onChoose(row);
    };
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    canvas.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.select(-1));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomBy(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.002)), ...at(event));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.onKey(event));
    canvas.addEventListener("focus", () => {
      if (canvas.matches(":focus-visible") && this.classOf.length) this.select(Math.max(0, this.current, this.chosen));
    });
    canvas.addEventListener("blur", () => this.select(-1));
    new ResizeObserver(() => this.restyle()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.restyle());
  }

  onMove(event, [x, y]) {
    const before = this.pointers.get(event.pointerId);
    if (before === undefined) {
      if (event.pointerType === "mouse") this.select(this.nearest(x, y));
      return;
    }
    this.isMoved ||= this.pointers.size > 1 || Math.hypot(x - this.start[0], y - this.start[1]) > DRAG;
    if (!this.isMoved) return;
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    this.pointers.set(event.pointerId, [x, y]);
    this.canvas.classList.add("moving");
    this.select(-1);
    if (others.length === 0) {
      this.left += x - before[0];
      this.top += y - before[1];
      this.redraw();
    } else {
      // The other finger stays where it is.
      const [fixed] = others, was = Math.hypot(before[0] - fixed[0], before[1] - fixed[1]);
      if (was > 0) this.zoomBy(Math.hypot(x - fixed[0], y - fixed[1]) / was, ...fixed);
    }
  }

  onKey(event) {
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const zooms = { "+": STEP, "=": STEP, "-": 1 / STEP };
    if (event.ctrlKey || event.metaKey || event.altKey || !this.classOf.length) return;
    if (event.key in arrows) {
      const [dx, dy] = arrows[event.key];
      if (event.shiftKey) {
        this.left -= (dx * this.width) / 8;
        this.top -= (dy * this.height) / 8;
        this.redraw();
      } else {
        this.select(this.current < 0 ? Math.max(0, this.chosen) : this.towards(dx, dy));
        this.reveal();
      }
    } else if (event.key in zooms) {
      this.zoomBy(zooms[event.key], ...(this.current < 0 ? [] : this.place(this.current)));
    } else if (event.key === "0") this.reset();
    else if (event.key === "Escape") this.select(-1);
    else if (event.key === "Enter" && this.current >= 0) this.onChoose(this.current);
    else return;
    event.preventDefault();
  }

  /** Move the map until the current point is on the canvas. */
  reveal() {
    const [x, y] = this.place(this.current), margin = Math.min(40, this.width / 4);
    this.left += Math.max(0, margin - x) - Math.max(0, x - this.width + margin);
    this.top += Math.max(0, margin - y) - Math.max(0, y - this.height + margin);
    this.draw();
    this.select(this.current);
  }
}
