(() => {
  const data = DATA;
  for (const root of document.querySelectorAll('[id="NAME"]')) {
    if (root.dataset.ready) continue;
    root.dataset.ready = "yes";
    root.setAttribute("data-lm-suppress-shortcuts", "true");
    const part = (name) => root.querySelector('[data-part="' + name + '"]');
    const map = part("map"), here = part("here"), place = part("dials"), picture = map.querySelector("img");
    const count = data.values.map((v) => v.length), at = data.at.slice(), inputs = [], shown = [];
    const make = (tag, style, into, text) => {
      const node = document.createElement(tag);
      node.style.cssText = style;
      if (text) node.textContent = text;
      into.append(node);
      return node;
    };
    const frame = make("div", "position:absolute;box-sizing:border-box;border:3px solid #D55E00;" +
      "outline:1px solid #fff;pointer-events:none", map);
    frame.style.width = 100 / count[0] + "%";
    frame.style.height = 100 / count[1] + "%";
    Object.assign(here.style, {display: "block", backgroundImage: "url(" + picture.src + ")",
      backgroundSize: 100 * count[0] + "% " + 100 * count[1] + "%", imageRendering: "pixelated"});
    const show = () => {
      const from = [at[0], count[1] - 1 - at[1]];
      frame.style.left = 100 * from[0] / count[0] + "%";
      frame.style.top = 100 * from[1] / count[1] + "%";
      here.style.backgroundPosition = from.map((k, i) => 100 * k / Math.max(1, count[i] - 1) + "%").join(" ");
      const words = data.names.map((n, i) => n + " = " + data.values[i][at[i]]).join(", ");
      here.setAttribute("aria-label", "the image at " + words);
      inputs.forEach((input, i) => {
        input.value = at[i];
        shown[i].textContent = data.values[i][at[i]];
        input.setAttribute("aria-valuetext", data.values[i][at[i]]);
      });
    };
    data.names.forEach((name, i) => {
      const row = make("label", "display:inline-flex;align-items:center;gap:.6em;margin:0 1em .3em 0", place);
      make("span", "", row, name);
      const input = make("input", "width:180px;accent-color:#0072B2", row);
      Object.assign(input, {type: "range", min: 0, max: count[i] - 1, step: 1, value: at[i]});
      input.setAttribute("aria-label", name);
      inputs.push(input);
      shown.push(make("b", "font-variant-numeric:tabular-nums;min-width:6ch", row));
      input.addEventListener("input", () => { at[i] = +input.value; show(); });
      for (const kind of ["keydown", "pointerdown", "touchstart"])
        input.addEventListener(kind, (event) => event.stopPropagation(), {passive: true});
    });
    make("span", "font-size:90%;opacity:.8", place, "Move the dials, or walk on the map.");
    const walk = (event) => {
      if (event.pointerType !== "mouse" || event.type === "pointerdown" || event.buttons) {
        const box = map.getBoundingClientRect();
        const share = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
        share.forEach((s, i) => { at[i] = Math.max(0, Math.min(count[i] - 1, Math.floor(s * count[i]))); });
        at[1] = count[1] - 1 - at[1];
        show();
      }
    };
    map.addEventListener("pointerdown", (event) => {
      event.stopPropagation();
      map.setPointerCapture(event.pointerId);
      walk(event);
    });
    map.addEventListener("pointermove", walk);
    map.style.cursor = "crosshair";
    show();
  }
})();
