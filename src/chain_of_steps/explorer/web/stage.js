// What a run shows: pictures at a step and a frame, what is answered there, and curves along the
// steps.

const CURVES = [
  "var(--c0)",
  "var(--c1)",
  "var(--c2)",
  "var(--c3)",
  "var(--c4)",
  "var(--c5)",
  "var(--c6)",
];
const WIDE = 400,
  HIGH = 120; // of the chart, in its own units

/* What a step answers, in words. */
function verdictOf(run, step) {
  const said = [];
  if (step.violations === 0) {
    const total = `${run.answers}${run.more ? "+" : ""}`;
    said.push(
      run.answers === 1
        ? "the only answer"
        : step.which === null
          ? "an answer beyond those listed"
          : `answer ${step.which + 1} of ${total}`,
    );
  } else said.push(`${step.violations} violation${step.violations > 1 ? "s" : ""}`);
  if (step.fault) said.push(`first: ${step.fault}`);
  const drawn = step.drawn
    ? "drawn legibly"
    : step.decided.includes(-1)
      ? "not all drawn"
      : "drawn illegibly";
  return {
    valid: step.violations === 0,
    text: said.join("; "),
    drawn: step.drawn === null ? null : drawn,
    error: step.error,
  };
}

/* The curves of a run up to now: [{name, values, dashed}]. Dashes: a value that is not valid. */
function curvesOf(run, most) {
  const steps = run.steps,
    last = steps.at(-1);
  if (!last) return [];
  if (run.values.length) {
    const decided = new Set(steps.map(step => step.decided[0]));
    return run.values
      .map(({ name, valid }, v) => ({
        name: valid ? name : `${name} (not valid)`,
        dashed: !valid,
        shown: valid || decided.has(v),
        values: steps.map(step => step.beliefs[v]),
      }))
      .filter(curve => curve.shown);
  }
  const kept = step =>
    step.decided.filter((value, p) => value === last.decided[p]).length / last.decided.length;
  const curves = [
    { name: `violations (of ${most})`, values: steps.map(step => step.violations / most) },
    { name: "parts decided as at the end", values: steps.map(kept) },
  ];
  if (last.open !== null)
    curves.push({
      name: "open parts that show several values",
      values: steps.map(step => step.open),
    });
  return curves;
}

/* One run: `show(run, step, frame, most, stale)`; `seek(step, frame)` is called on clicks. */
function runView(name, seek) {
  const canvas = h("canvas", { class: "cos-picture", role: "img", tabindex: -1 });
  const strip = h("canvas", {
    class: "cos-strip",
    role: "img",
    title: "All frames of this step; click one",
  });
  const reading = h("canvas", {
    class: "cos-small",
    role: "img",
    title: "The answer that is read off the last frame, drawn clearly",
  });
  const truth = h("div", { class: "cos-truth", role: "group", "aria-label": "Valid answers" });
  const title = h("h4", {}),
    verdict = h("p", { class: "cos-verdict" }),
    numbers = h("p", { class: "cos-numbers" });
  const badge = h(
    "span",
    { class: "cos-stale", hidden: true },
    "stale: the setting has changed since",
  );
  const chart = h("div", { class: "cos-chart" }),
    prompt = h("p", { class: "cos-prompt" });
  const node = h(
    "article",
    { class: "cos-run", "aria-label": `${name} run` },
    h("header", {}, title, badge),
    prompt,
    h(
      "div",
      { class: "cos-pictures" },
      h("figure", {}, canvas, strip, h("figcaption", {}, "clean estimate")),
      h(
        "div",
        { class: "cos-side" },
        h("figure", {}, reading, h("figcaption", {}, "read as")),
        h("figure", {}, truth, h("figcaption", {}, "ground truth")),
      ),
    ),
    numbers,
    verdict,
    chart,
  );
  let run = null,
    count = 1,
    drawnTruth = null;
  strip.addEventListener("pointerdown", event => {
    const box = strip.getBoundingClientRect();
    seek(null, clamp(Math.floor(((event.clientX - box.left) / box.width) * count), 0, count - 1));
  });
  chart.addEventListener("pointerdown", event => {
    const box = chart.querySelector("svg")?.getBoundingClientRect();
    if (box && event.clientY <= box.bottom)
      seek(
        Math.round(clamp((event.clientX - box.left) / box.width, 0, 1) * (run.sigmas.length - 2)),
        null,
      );
  });

  function show(next, step, frame, most, stale) {
    run = next;
    node.hidden = !run;
    if (!run) return;
    node.classList.toggle("cos-is-stale", stale);
    badge.hidden = !stale;
    title.textContent = run.name;
    prompt.textContent = run.prompt ? `“${run.prompt}”` : "";
    const pictures = run.pictures[step],
      data = run.steps[step],
      [width, side] = sizeOf(pictures?.strip);
    if (width) {
      count = Math.round(width / side);
      frame = Math.min(frame, count - 1);
      draw(canvas, pictures.strip, side, side, frame * side);
      draw(strip, pictures.strip, side * count, side, 0);
      strip.style.aspectRatio = String(count);
      strip.style.setProperty("--frame", frame);
      strip.style.setProperty("--count", count);
      strip.hidden = count < 2;
    } else if (!data)
      for (const each of [canvas, strip])
        each.getContext("2d").clearRect(0, 0, each.width, each.height);
    const sizes = sizeOf(pictures?.reading);
    if (sizes[0]) draw(reading, pictures.reading, ...sizes, 0);
    canvas.setAttribute(
      "aria-label",
      data ? `clean estimate at step ${step}, frame ${frame}` : `step ${step} is not computed`,
    );
    reading.setAttribute(
      "aria-label",
      data && run.board ? `read as ${spoken(data.decided, run.board)}` : reading.title,
    );
    strip.setAttribute("aria-label", `all frames of step ${step}`);
    showTruth(data);
    showVerdict(data, step);
    chart.replaceChildren(...chartOf(run, step, most));
  }

  function showTruth(data) {
    if (drawnTruth !== run.id) {
      drawnTruth = run.id;
      truth.replaceChildren(
        ...(run.truth ?? []).map((url, i) =>
          h("img", {
            src: urlOf(url, run.board),
            alt: `valid answer ${i + 1}`,
            title: `valid answer ${i + 1}`,
          }),
        ),
      );
      const rest = (run.answers ?? 0) - (run.truth ?? []).length;
      if (rest > 0) truth.append(h("span", {}, `and ${rest}${run.more ? " or more" : ""} others`));
    }
    [...truth.querySelectorAll("img")].forEach((image, i) =>
      image.classList.toggle("cos-hit", data?.which === i),
    );
  }

  function showVerdict(data, step) {
    const sigma = run.sigmas?.[step]?.toFixed(3) ?? "?";
    const at = `step ${step} of ${run.setting.steps} · sigma ${sigma}`;
    numbers.textContent = data ? `${at} · NFE ${data.nfe}` : at;
    numbers.title =
      "sigma: the noise level of this step. NFE: forward passes of the network up to here.";
    if (!data) {
      const why =
        { failed: run.error, stopped: "stopped before this step", running: "being computed …" }[
          run.state
        ] ?? "not computed";
      verdict.replaceChildren(why);
      verdict.className = `cos-verdict${run.state === "failed" ? " cos-wrong" : ""}`;
      return;
    }
    const { valid, text, drawn, error } = verdictOf(run, data);
    verdict.className = `cos-verdict ${valid ? "cos-right" : "cos-wrong"}`;
    verdict.replaceChildren(
      h("b", {}, valid ? "✓ valid" : "✗ not valid"),
      `: ${text}. `,
      drawn === null
        ? ""
        : h(
            "span",
            { title: `largest error of a cell ${error}; up to 0.12 counts as legible` },
            `${drawn} (worst cell ${error.toFixed(2)})`,
          ),
    );
  }
  return { node, show };
}

/* A part of an image on a canvas of that size, pixel by pixel. */
function draw(canvas, image, width, height, left) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  canvas.getContext("2d").drawImage(image, left, 0, width, height, 0, 0, width, height);
}

/* The chart and its legend. Dots below: steps whose answer is valid. */
function chartOf(run, step, most) {
  const last = Math.max(1, (run.sigmas?.length ?? 2) - 2),
    x = s => (s / last) * WIDE,
    y = value => HIGH - value * HIGH;
  const curves = curvesOf(run, most);
  const here = curves.map(c => `${c.name} ${(c.values[step] ?? c.values.at(-1))?.toFixed(2)}`);
  const svg = h(
    "svg",
    {
      viewBox: `-6 -6 ${WIDE + 12} ${HIGH + 22}`,
      role: "img",
      "aria-label": `what the last frame shows, by step: ${here.join(", ")}`,
    },
    [0, 0.5, 1].map(v => h("line", { x1: 0, x2: WIDE, y1: y(v), y2: y(v), class: "cos-line" })),
    h("line", { x1: x(step), x2: x(step), y1: 0, y2: HIGH, class: "cos-now" }),
    curves.map((curve, i) =>
      h("polyline", {
        points: curve.values.map((v, s) => `${x(s).toFixed(1)},${y(v).toFixed(1)}`).join(" "),
        stroke: CURVES[i % CURVES.length],
        "stroke-dasharray": curve.dashed ? "5 4" : null,
      }),
    ),
    run.steps.map((each, s) =>
      each.violations === 0
        ? h("circle", { cx: x(s), cy: HIGH + 9, r: 3, class: "cos-valid" })
        : null,
    ),
  );
  const item = (curve, i) =>
    h(
      "li",
      {},
      h(
        "svg",
        { viewBox: "0 0 18 6", "aria-hidden": "true" },
        h("line", {
          x1: 0,
          x2: 18,
          y1: 3,
          y2: 3,
          stroke: CURVES[i % CURVES.length],
          "stroke-width": 2,
          "stroke-dasharray": curve.dashed ? "5 4" : null,
        }),
      ),
      curve.name,
      curve.values[step] === undefined ? "" : h("output", {}, curve.values[step].toFixed(2)),
    );
  return [
    svg,
    h(
      "ul",
      { class: "cos-legend" },
      curves.map(item),
      h(
        "li",
        {},
        h(
          "svg",
          { viewBox: "0 0 18 6", "aria-hidden": "true" },
          h("circle", { cx: 9, cy: 3, r: 3, class: "cos-valid" }),
        ),
        "the answer is valid",
      ),
    ),
  ];
}
