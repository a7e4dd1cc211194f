// One slide is 1280 × 720. A figure takes the room that the words leave; words that do not fit are set smaller.
const WIDTH = 1280, HEIGHT = 720, SMALLEST = 0.74;

window.MathJax = {
  tex: {inlineMath: [["$", "$"]], displayMath: [["$$", "$$"]]},
  svg: {fontCache: "local"},
  options: {enableMenu: false},
  startup: {typeset: false},
};

function fit(slide) {
  if (!slide || slide.querySelector(":scope > section")) return;
  const lines = [...slide.querySelectorAll("pre")].filter((pre) => !pre.closest(".notes"));
  const boxes = [...slide.querySelectorAll(".jp-OutputArea-output:has(img, audio)")], pictures = [];
  const over = () => slide.scrollHeight > HEIGHT || slide.scrollWidth > WIDTH
    || boxes.some((box) => box.offsetWidth > WIDTH - 112)
    || lines.some((pre) => pre.scrollWidth > pre.clientWidth + 1);
  for (const box of boxes) {
    const whole = box.querySelector("[id^=explorer-], [id^=walker-]");
    const picture = whole ? [...whole.children].find((part) => part.querySelector("img")) : box.querySelector("img");
    if (picture) pictures.push(picture);
    const words = whole ? [...whole.children].filter((part) => part !== picture) : picture ? [] : [box];
    for (const part of words) part.style.zoom = 1.4;
  }
  for (const picture of pictures) picture.style.zoom = 0.01; // the words have what they need first
  let size = pictures.length ? 1 : 1.35;
  do { slide.style.fontSize = size + "em"; size -= 0.05; } while (over() && size > SMALLEST);
  if (over()) for (const pre of lines) pre.style.whiteSpace = "pre-wrap";
  for (const picture of pictures) {
    let zoom = 2.4;
    do { picture.style.zoom = zoom; zoom *= 0.96; } while (over() && zoom > 0.3);
  }
}

function startDeck() {
  Reveal.initialize({
    width: WIDTH, height: HEIGHT, margin: 0, center: false, hash: true, slideNumber: "c/t", transition: "none",
    navigationMode: "linear", plugins: [RevealNotes], controls: false, pdfSeparateFragments: false,
  });
  const now = () => fit(Reveal.getCurrentSlide());
  Reveal.on("slidechanged", now);
  Reveal.on("ready", now);
  Reveal.on("pdf-ready", () => document.querySelectorAll(".slides section").forEach(fit));
  addEventListener("load", async () => {
    await MathJax.startup.promise;
    await MathJax.typesetPromise();
    // every picture is decoded before it is measured
    await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
    now();
    document.body.dataset.ready = "yes";
  });
}
