(() => {
  const data = DATA;
  for (const root of document.querySelectorAll('[id="NAME"]')) {
    if (root.dataset.ready) continue;
    root.dataset.ready = "yes";
    root.setAttribute("data-lm-suppress-shortcuts", "true");
    const part = (name) => root.querySelector('[data-part="' + name + '"]');
    const place = part("dials"), picture = part("picture"), sound = part("sound"), words = part("words");
    const at = data.dials.map((dial) => dial[2]), moves = [];
    const show = () => {
      const index = at.reduce((sum, k, i) => sum * data.dials[i][1].length + k, 0);
      picture.src = data.pictures[data.picture[index]];
      picture.alt = data.alt + " (" + data.dials.map((d, i) => d[0] + ": " + d[1][at[i]]).join(", ") + ")";
      if (words) words.textContent = data.word[index] < 0 ? "" : data.words[data.word[index]];
      if (sound) {
        const source = data.sounds[data.sound[index]] || "";
        if (sound.getAttribute("src") !== source) {
          sound.pause();
          if (source) sound.src = source; else sound.removeAttribute("src");
          sound.load();
        }
        sound.style.opacity = source ? 1 : 0.35;
      }
    };
    const make = (tag, style, into, text) => {
      const node = document.createElement(tag);
      node.style.cssText = style;
      if (text) node.textContent = text;
      into.append(node);
      return node;
    };
    data.dials.forEach(([name, options], i) => {
      const row = make("label", "display:inline-flex;align-items:center;gap:.6em;margin:0 1em .3em 0", place);
      make("span", "", row, name);
      let input, value;
      if (data.dials[i][3]) {
        input = make("input", "width:180px;accent-color:#0072B2", row);
        Object.assign(input, {type: "range", min: 0, max: options.length - 1, step: 1, value: at[i]});
        const widest = Math.max(...options.map((o) => o.length));
        value = make("b", "font-variant-numeric:tabular-nums;min-width:" + widest + "ch", row);
      } else {
        const look = "font:inherit;color:inherit;background:var(--jp-layout-color1,Canvas);padding:.1em .3em";
        input = make("select", look, row);
        options.forEach((o) => make("option", "", input, o));
        input.selectedIndex = at[i];
      }
      input.setAttribute("aria-label", name);
      const move = (k) => {
        at[i] = k;
        if (value) {
          input.value = k;
          value.textContent = options[k];
          input.setAttribute("aria-valuetext", options[k]);
        }
        show();
      };
      moves.push(move);
      input.addEventListener("input", () => move(value ? +input.value : input.selectedIndex));
      for (const kind of ["keydown", "pointerdown", "touchstart"])
        input.addEventListener(kind, (event) => event.stopPropagation(), {passive: true});
      move(at[i]);
    });
    if (data.dials.length === 1 && data.dials[0][1].length > 2) {
      const last = data.dials[0][1].length - 1;
      let timer = null;
      const look = "font:inherit;cursor:pointer;min-width:6em;margin-right:1em";
      const button = make("button", look, place, "▶ play");
      const stop = () => { clearInterval(timer); timer = null; button.textContent = "▶ play"; };
      button.type = "button";
      button.addEventListener("click", () => {
        if (timer) return stop();
        if (at[0] === last) moves[0](0);
        button.textContent = "❚❚ pause";
        timer = setInterval(() => {
          if (!root.isConnected || at[0] === last) return stop();
          moves[0](at[0] + 1);
        }, data.interval);
      });
      place.querySelector("input").addEventListener("input", stop);
    }
    const hint = data.dials.length > 1 ? "Move the dials." : "Move the slider.";
    make("span", "font-size:90%;opacity:.8", place, hint);
  }
})();
