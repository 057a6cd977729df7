// Exports: a picture of what is shown, an animation along the steps, and their file.

const LARGEST = 960; // pixels a side of what is saved

/* Both runs at a step, with their names, on one canvas. */
function poster(runs, step, frame, scale = 5) {
  const sides = runs.map(run => sizeOf(run.pictures[step]?.strip)[1] || 48),
    side = Math.min(Math.max(...sides) * scale, LARGEST);
  const canvas = h("canvas", { width: runs.length * (side + 16) + 16, height: side + 76 }),
    context = canvas.getContext("2d");
  Object.assign(context, { fillStyle: "#fff", imageSmoothingEnabled: false });
  context.fillRect(0, 0, canvas.width, canvas.height);
  runs.forEach((run, i) => {
    const at = Math.min(step, run.steps.length - 1),
      data = run.steps[at],
      image = run.pictures[at]?.strip;
    const [width, own] = sizeOf(image);
    if (!data || !width) return;
    const left = 16 + i * (side + 16),
      f = Math.min(frame, width / own - 1);
    context.drawImage(image, f * own, 0, own, own, left, 16, side, side);
    const { valid, text } = verdictOf(run, data);
    context.fillStyle = "#222";
    context.font = "12px system-ui, sans-serif";
    context.fillText(run.name, left, side + 34, side);
    context.fillText(
      `step ${at}, sigma ${run.sigmas[at].toFixed(3)}, NFE ${data.nfe}`,
      left,
      side + 50,
      side,
    );
    context.fillStyle = valid ? "#00694b" : "#a33f00";
    context.fillText(`${valid ? "valid" : "not valid"}: ${text}`, left, side + 66, side);
  });
  return canvas;
}

/* The animation of both runs along the steps, as the bytes of a GIF; the last step is held. */
function animation(runs, frame) {
  const steps = Math.max(...runs.map(run => run.steps.length));
  const frames = Array.from({ length: steps }, (_, s) => poster(runs, s, frame, 4));
  const images = frames.map(canvas =>
    canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height),
  );
  return gif(
    images,
    images.map((_, i) => (i === steps - 1 ? 150 : 15)),
  );
}

/* The bytes of a GIF (ImageData of one size, delays in hundredths of a second); it repeats. */
function gif(images, delays) {
  const { width, height } = images[0],
    { palette, index } = paletteOf(images);
  const out = [],
    word = value => out.push(value & 255, value >> 8),
    text = value => out.push(...[...value].map(c => c.charCodeAt(0)));
  text("GIF89a");
  word(width);
  word(height);
  out.push(0xf7, 0, 0, ...palette, 0x21, 0xff, 11);
  text("NETSCAPE2.0");
  out.push(3, 1, 0, 0, 0);
  images.forEach((image, i) => {
    out.push(0x21, 0xf9, 4, 0);
    word(delays[i]);
    out.push(0, 0, 0x2c, 0, 0, 0, 0);
    word(width);
    word(height);
    out.push(0, 8);
    const packed = lzw(index(image));
    for (let at = 0; at < packed.length; at += 255) {
      const block = packed.slice(at, at + 255);
      out.push(block.length);
      for (const byte of block) out.push(byte);
    }
    out.push(0);
  });
  out.push(0x3b);
  return new Uint8Array(out);
}

/* A palette of 256 colours by median cut, and the place in it of each pixel of an image. */
function paletteOf(images) {
  const counts = new Map(),
    colour = (data, i) => ((data[i] >> 3) << 10) | ((data[i + 1] >> 3) << 5) | (data[i + 2] >> 3);
  for (const { data } of images)
    for (let i = 0; i < data.length; i += 4)
      counts.set(colour(data, i), (counts.get(colour(data, i)) ?? 0) + 1);
  const channel = (c, k) => (c >> (5 * (2 - k))) & 31;
  const boxOf = colours => {
    const ranges = [0, 1, 2].map(
      k =>
        Math.max(...colours.map(c => channel(c, k))) - Math.min(...colours.map(c => channel(c, k))),
    );
    const widest = ranges.indexOf(Math.max(...ranges));
    return {
      colours,
      widest,
      weight: ranges[widest] * Math.sqrt(colours.reduce((sum, c) => sum + counts.get(c), 0)),
    };
  };
  const boxes = [boxOf([...counts.keys()])];
  while (boxes.length < 256) {
    const at = boxes.reduce((best, box, i) => (box.weight > boxes[best].weight ? i : best), 0),
      { colours, widest, weight } = boxes[at];
    if (!weight) break; // one colour in each box
    const sorted = [...colours].sort((a, b) => channel(a, widest) - channel(b, widest)),
      middle = sorted.length >> 1;
    boxes.splice(at, 1, boxOf(sorted.slice(0, middle)), boxOf(sorted.slice(middle)));
  }
  const palette = new Uint8Array(768),
    place = new Map();
  boxes.forEach(({ colours }, i) => {
    const total = colours.reduce((sum, c) => sum + counts.get(c), 0);
    const mean = k => colours.reduce((sum, c) => sum + channel(c, k) * counts.get(c), 0) / total;
    palette.set(
      [0, 1, 2].map(k => Math.round((mean(k) * 255) / 31)),
      3 * i,
    );
    colours.forEach(c => place.set(c, i));
  });
  return {
    palette,
    index: ({ data }) =>
      Uint8Array.from({ length: data.length / 4 }, (_, i) => place.get(colour(data, 4 * i))),
  };
}

/* LZW of 8-bit values with codes of 9 to 12 bits. */
function lzw(values) {
  const out = [];
  let held = 0,
    bits = 0,
    size = 9,
    next = 258,
    table = new Map(),
    prefix = values[0];
  const put = code => {
    held |= code << bits;
    for (bits += size; bits >= 8; bits -= 8, held >>>= 8) out.push(held & 255);
  };
  put(256);
  for (let i = 1; i < values.length; i++) {
    const key = (prefix << 8) | values[i];
    if (table.has(key)) {
      prefix = table.get(key);
      continue;
    }
    put(prefix);
    if (next === 4096) {
      put(256);
      size = 9;
      next = 258;
      table = new Map();
    } else {
      if (next === 1 << size) size++;
      table.set(key, next++);
    }
    prefix = values[i];
  }
  put(prefix);
  put(257);
  if (bits) out.push(held & 255);
  return out;
}

function save(name, blob) {
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/* The address of this page with the setting in it. */
function linkTo(text) {
  let base = location.href;
  try {
    base = window.top.location.href;
  } catch {
    /* a page of another origin around this one */
  }
  return `${base.split("#")[0]}#explorer=${encodeURIComponent(text)}`;
}

function textInAddress() {
  for (const place of [() => window.top.location.hash, () => location.hash])
    try {
      const found = /explorer=([^&]+)/.exec(place());
      if (found) return decodeURIComponent(found[1]);
    } catch {
      /* of another origin, or not readable */
    }
  return null;
}

/* The address of the page follows the setting, and the setting another address. */
function keepInAddress(model) {
  if (window !== window.top) return; // the address belongs to the page around this one
  const about = model.get("about");
  model.on("change:setting", () => {
    const text = toText(model.get("setting"), about.default);
    window.history.replaceState(null, "", `#explorer=${encodeURIComponent(text)}`);
  });
  window.addEventListener("hashchange", () => {
    try {
      choose(model, fromText(textInAddress() ?? "{}", about));
    } catch {
      /* an address that is not ours */
    }
  });
}

/* Pictures of what is shown, and the setting as a text and as a link. */
function filesBar(model, state, view) {
  const about = model.get("about"),
    shown = () =>
      [state.runs.get(state.left), state.runs.get(state.right)].filter(run => run?.steps.length);
  const said = h("span", { class: "cos-note", role: "status" });
  const text = h("input", {
    type: "text",
    spellcheck: "false",
    readonly: !about.live,
    onchange: () => {
      try {
        choose(model, fromText(text.value, about));
        said.textContent = "loaded";
      } catch (error) {
        said.textContent = `this is no setting: ${error.message}`;
      }
    },
  });
  const copy = (value, what) => {
    const done = () => {
      said.textContent = `${what} copied`;
    };
    const shownInstead = () => {
      text.value = value;
      text.select();
      said.textContent = `copy the ${what} from the field`;
    };
    if (navigator.clipboard) navigator.clipboard.writeText(value).then(done, shownInstead);
    else shownInstead();
  };
  const button = (name, help, onclick) =>
    h("button", { type: "button", title: help, onclick }, name);
  const png = button("PNG", "Save a picture of what is shown", () =>
    poster(shown(), view.step, view.frame).toBlob(blob => save("explorer.png", blob)),
  );
  const anim = button("GIF", "Save an animation along the steps", () => {
    said.textContent = "making the animation …";
    setTimeout(() => {
      save("explorer.gif", new Blob([animation(shown(), view.frame)], { type: "image/gif" }));
      said.textContent = "";
    });
  });
  const node = h(
    "div",
    { class: "cos-files cos-row" },
    png,
    anim,
    labelled(
      "setting",
      text,
      "Everything that is chosen, as a text; paste another and press Enter",
    ),
    button("Copy text", "Copy the setting as a text", () => copy(text.value, "text")),
    about.live &&
      button("Copy link", "Copy the address of this page with the setting in it", () =>
        copy(linkTo(text.value), "link"),
      ),
    said,
  );
  return {
    node,
    show: setting => {
      png.disabled = anim.disabled = !shown().length;
      if (text.getRootNode().activeElement !== text) text.value = toText(setting, about.default);
    },
  };
}
