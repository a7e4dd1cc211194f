// The page of code space: two trained networks, computed here, and what moves them.
// codeSpace.decode([z1, z2]) and codeSpace.generate(z) give 28 × 28 numbers, 0 for paper and 1 for ink.

// Layers ------------------------------------------------------------------------------------------------------------
// Each takes its sizes and an image, {values, channels, height, width}, row after row, and gives the next image. A
// vector is an image of 1 × 1 with many channels. Sums are 64 bits wide, what is kept between layers is 32.

const layers = {
  dense({inputs, outputs, weight, bias}, {values}) {
    const out = new Float32Array(outputs);
    for (let o = 0; o < outputs; o++) {
      let sum = bias[o];
      for (let i = 0; i < inputs; i++) sum += weight[o * inputs + i] * values[i];
      out[o] = sum;
    }
    return {values: out, channels: outputs, height: 1, width: 1};
  },

  unflatten: ({shape}, {values}) => ({values, channels: shape[0], height: shape[1], width: shape[2]}),

  // every pixel of the result looks at a window of the image; weight[output][input][row][column]
  conv({inputs, outputs, kernel, padding, weight, bias}, {values, height, width}) {
    const high = height + 2 * padding - kernel + 1, wide = width + 2 * padding - kernel + 1;
    const out = new Float32Array(outputs * high * wide);
    for (let o = 0; o < outputs; o++)
      for (let y = 0; y < high; y++)
        for (let x = 0; x < wide; x++) {
          let sum = bias[o];
          for (let i = 0; i < inputs; i++)
            for (let r = 0; r < kernel; r++)
              for (let c = 0; c < kernel; c++) {
                const row = y + r - padding, column = x + c - padding;
                if (row >= 0 && row < height && column >= 0 && column < width)
                  sum += weight[((o * inputs + i) * kernel + r) * kernel + c] * values[(i * height + row) * width + column];
              }
          out[(o * high + y) * wide + x] = sum;
        }
    return {values: out, channels: outputs, height: high, width: wide};
  },

  // every pixel of the image paints a window of the result; weight[input][output][row][column]
  convTranspose({inputs, outputs, kernel, stride, padding, weight, bias}, {values, height, width}) {
    const high = (height - 1) * stride - 2 * padding + kernel, wide = (width - 1) * stride - 2 * padding + kernel;
    const sums = new Float64Array(outputs * high * wide);
    for (let o = 0; o < outputs; o++) {
      sums.fill(bias[o], o * high * wide, (o + 1) * high * wide);
      for (let i = 0; i < inputs; i++)
        for (let y = 0; y < height; y++)
          for (let x = 0; x < width; x++) {
            const ink = values[(i * height + y) * width + x];
            for (let r = 0; r < kernel; r++)
              for (let c = 0; c < kernel; c++) {
                const row = y * stride + r - padding, column = x * stride + c - padding;
                if (row >= 0 && row < high && column >= 0 && column < wide)
                  sums[(o * high + row) * wide + column] += weight[((i * outputs + o) * kernel + r) * kernel + c] * ink;
              }
          }
    }
    return {values: Float32Array.from(sums), channels: outputs, height: high, width: wide};
  },

  // factor² channels become one whose every pixel is a square of factor × factor
  pixelShuffle({factor}, {values, channels, height, width}) {
    const out = new Float32Array(values.length), few = channels / factor ** 2;
    for (let k = 0; k < few; k++)
      for (let r = 0; r < factor; r++)
        for (let c = 0; c < factor; c++)
          for (let y = 0; y < height; y++)
            for (let x = 0; x < width; x++)
              out[((k * height + y) * factor + r) * width * factor + x * factor + c] =
                values[(((k * factor + r) * factor + c) * height + y) * width + x];
    return {values: out, channels: few, height: height * factor, width: width * factor};
  },

  leakyReLU: ({slope}, image) => ({...image, values: image.values.map((v) => (v < 0 ? slope * v : v))}),
  silu: (_, image) => ({...image, values: image.values.map((v) => v / (1 + Math.exp(-v)))}),
  sigmoid: (_, image) => ({...image, values: image.values.map((v) => 1 / (1 + Math.exp(-v)))}),
};

// base64 of float32, little-endian
const numbers = (text) => new Float32Array(Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)).buffer);

const network = (list) => {
  const read = list.map((layer) => ("weight" in layer ? {...layer, weight: numbers(layer.weight), bias: numbers(layer.bias)} : layer));
  const inputs = read[0].inputs;
  return (z) => {
    if (z.length !== inputs) throw new RangeError(`a code of ${z.length} numbers came; expected ${inputs}`);
    const start = {values: Float32Array.from(z), channels: inputs, height: 1, width: 1};
    return read.reduce((image, layer) => layers[layer.kind](layer, image), start).values;
  };
};

// Noise -------------------------------------------------------------------------------------------------------------

// n normal numbers, the same for the same whole number: Box and Muller's way, from a uniform generator (mulberry32)
const noise = (seed, n) => {
  let state = seed * 0x9e3779b9;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32;
  };
  return Float32Array.from({length: n}, () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
};

// on the great circle: as long as both ends, while a straight line would pass nearer to zero than noise ever lies
const between = (a, b, t) => a.map((v, i) => Math.cos((Math.PI * t) / 2) * v + Math.sin((Math.PI * t) / 2) * b[i]);

// The page ----------------------------------------------------------------------------------------------------------

const paint = (canvas, values, words) => {
  const context = canvas.getContext("2d", {willReadFrequently: true}); // kept where it is computed, not on a graphics card
  const picture = context.createImageData(28, 28);
  values.forEach((ink, k) => {
    picture.data.fill(Math.round(255 * (1 - ink)), 4 * k, 4 * k + 3);
    picture.data[4 * k + 3] = 255;
  });
  context.putImageData(picture, 0, 0);
  if (words) canvas.setAttribute("aria-label", words);
};

const signed = (v) => v.toFixed(2).replace("-", "−");

// Dark enough for digits of eight pixels on white. The digit itself says the class too.
const colours = ["#000000", "#0072B2", "#B34700", "#00734F", "#8F3388", "#7A5C00", "#C1002B", "#3D5AA8", "#5E5E5E", "#006D77"];

const middle = (values) => values.sort((a, b) => a - b)[values.length >> 1];

const drawMap = (canvas, codes, edge) => {
  const context = canvas.getContext("2d"), size = canvas.width;
  const at = (v) => ((v + edge) / (2 * edge)) * size;
  const write = (text, x, y, font, colour) => {
    Object.assign(context, {font: `${font} sans-serif`, fillStyle: colour});
    context.fillText(String(text).replace("-", "−"), x, y);
  };
  Object.assign(context, {textAlign: "center", textBaseline: "middle", fillStyle: "#fff", strokeStyle: "#ddd", lineWidth: 2});
  context.fillRect(0, 0, size, size);
  const ticks = Array.from({length: 2 * Math.floor(edge) + 1}, (_, k) => k - Math.floor(edge));
  for (const v of ticks) {
    context.strokeRect(at(v), -2, 0, size + 4);
    context.strokeRect(-2, at(v), size + 4, 0);
  }
  for (const [x, y, label] of codes) write(label, at(x), at(-y), "20px", colours[label]);
  for (const v of ticks) {
    write(v, at(v), size - 16, "22px", "#333");
    if (v !== ticks[0]) write(v, 18, at(-v), "22px", "#333");
  }
  write("z₁", size - 20, size - 16, "bold 24px", "#333");
  write("z₂", 18, 18, "bold 24px", "#333");
  Object.assign(context, {strokeStyle: "#fff", lineWidth: 10, lineJoin: "round"});
  const placed = [];
  colours.forEach((colour, label) => { // each class once more, large, in its middle, or beside another that is there
    const own = codes.filter((code) => code[2] === label);
    let x = at(middle(own.map((code) => code[0])));
    const y = at(-middle(own.map((code) => code[1])));
    while (placed.some(([a, b]) => Math.hypot(a - x, b - y) < 36)) x -= 12;
    placed.push([x, y]);
    context.font = "bold 48px sans-serif";
    context.strokeText(label, x, y);
    write(label, x, y, "bold 48px", colour);
  });
};

const start = (root, model) => {
  const part = (name) => root.querySelector(`[data-part=${name}]`);
  const {edge} = model;
  const decode = network(model.decoder), generate = network(model.generator);

  // a point on the map
  const map = part("map"), point = part("point"), z = [0, 0];
  const move = (x, y) => {
    // two decimals: what is shown is what the numbers say
    [x, y].forEach((v, i) => { z[i] = Math.round(100 * Math.max(-edge, Math.min(edge, v))) / 100 + 0; });
    point.style.left = `${(100 * (z[0] + edge)) / (2 * edge)}%`;
    point.style.top = `${(100 * (edge - z[1])) / (2 * edge)}%`;
    const words = `z₁ = ${signed(z[0])}, z₂ = ${signed(z[1])}`;
    map.setAttribute("aria-valuenow", z[0]);
    map.setAttribute("aria-valuetext", words);
    part("code").textContent = words;
    paint(part("digit"), decode(z), `What the decoder makes of ${words}`);
  };
  const drag = (event) => {
    if (event.type === "pointermove" && !map.hasPointerCapture(event.pointerId)) return;
    if (event.type === "pointerdown") map.setPointerCapture(event.pointerId);
    const box = map.getBoundingClientRect();
    move((2 * (event.clientX - box.left) / box.width - 1) * edge, (1 - 2 * (event.clientY - box.top) / box.height) * edge);
  };
  map.addEventListener("pointerdown", drag);
  map.addEventListener("pointermove", drag);
  map.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 0.01 : 0.1;
    const way = {ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowDown: [0, -step], ArrowUp: [0, step], Home: [-z[0], -z[1]]}[event.key];
    if (!way || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation(); // else the page would turn over
    move(z[0] + way[0], z[1] + way[1]);
  });

  // between two noises
  const ends = {first: 3, second: 7}, vectors = {}, slider = part("t");
  let drawn = 7;
  const draw = (name) => {
    vectors[name] = noise(ends[name], model.latent);
    paint(part(name).querySelector("canvas"), generate(vectors[name]));
    part(name).querySelector("b").textContent = `noise ${ends[name]}`;
  };
  const mix = () => {
    const t = +slider.value;
    slider.setAttribute("aria-valuetext", `t = ${t.toFixed(2)}`);
    part("share").textContent = `t = ${t.toFixed(2)}`;
    paint(part("mixed"), generate(between(vectors.first, vectors.second, t)),
      `What the generator makes at t = ${t.toFixed(2)} between noise ${ends.first} and noise ${ends.second}`);
  };
  for (const name of Object.keys(ends))
    part(name).addEventListener("click", () => { ends[name] = ++drawn; draw(name); mix(); });
  slider.addEventListener("input", mix);
  slider.addEventListener("keydown", (event) => event.stopPropagation());

  for (const still of root.querySelectorAll("[data-part=still]")) still.remove();
  for (const moving of root.querySelectorAll("[data-moving]")) moving.hidden = false;
  drawMap(part("ground"), model.codes, edge);
  move(0, 0);
  draw("first");
  draw("second");
  mix();
  return {decode, generate, between, noise: (seed) => noise(seed, model.latent)};
};

window.codeSpace = start(document, window.codeSpaceModel);
