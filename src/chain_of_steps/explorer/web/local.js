// A model whose back end runs in the page: an *engine* computes, this sends what it computes.
//
// An engine has
//   preview(setting)   the fields of `preview`, see contract.js
//   header(setting)    the fields of `run`, without id, setting and state
//   run(setting)       a generator of steps, each yielded as soon as it is computed
//   controls(setting)  only where `about` has controls: a generator of their growing list of items
// Each may be async, and throws an Error whose message a visitor understands.

const PACE = 30; // least milliseconds between steps: faster ones cannot be followed

function local(traits, engine) {
  const model = standin(traits);
  let number = 0, // of the run
    job = 0, // the newest computation; older ones end when they see another number here
    before = Promise.resolve();

  async function preview() {
    const setting = model.get("setting");
    const found = await orError(() => engine.preview(setting));
    if (setting === model.get("setting")) model.set("preview", { setting, ...found });
  }

  async function run(setting, isDue) {
    let header = { id: ++number, setting };
    const tell = state => model.set("run", { ...header, ...state });
    try {
      header = { ...header, ...(await engine.header(setting)) };
      tell({ state: "running" });
      for await (const step of paced(engine.run(setting))) {
        if (!isDue()) return tell({ state: "stopped" });
        model.set("steps", { run: header.id, steps: [step] });
      }
      tell({ state: "done" });
    } catch (error) {
      tell({ state: "failed", error: error.message });
    }
  }

  async function controls(setting, isDue) {
    const found = await orError(async () => {
      const { board } = await engine.header(setting);
      let shown = { setting, board, items: [] };
      for await (const items of paced(engine.controls(setting))) {
        if (!isDue()) return {};
        model.set("controls", (shown = { ...shown, items }));
      }
      return { ...shown, done: true };
    });
    if (found.done || found.error) model.set("controls", { setting, items: [], ...found });
  }

  /* Does one thing after the other, unless something else is wanted meanwhile. */
  function start(compute, settings) {
    const own = ++job,
      isDue = () => own === job;
    before = before.then(async () => {
      for (const setting of settings) if (isDue()) await compute(setting, isDue);
    });
  }

  model.on("change:setting", preview);
  model.on("change:command", () => {
    const wanted = model.get("command");
    if (wanted.do === "run") start(run, wanted.settings);
    else if (wanted.do === "controls") start(controls, [wanted.setting]);
    else if (wanted.do === "stop") job++;
  });
  preview();
  return model;
}

async function orError(read) {
  try {
    return await read();
  } catch (error) {
    return { error: error.message };
  }
}

/* What a generator yields, with pauses in which the page draws and listens. */
async function* paced(values) {
  let due = performance.now();
  for await (const value of values) {
    yield value;
    due = Math.max(due + PACE, performance.now());
    await new Promise(resume => setTimeout(resume, due - performance.now()));
  }
}

/* An engine whose runs and controls are computed in a worker, so that the page stays responsive.
   `define` is a function without free variables, whose text the worker gets: pages opened as files
   may not load workers from other files. It returns `createEngine`, which makes an engine of data.
   Where a host forbids workers, the page computes, between whose steps it draws and listens. */
function inWorker(define, data) {
  const engine = define()(data);
  let worker;
  try {
    const script = new Blob([`(${serve})(self, (${define})());`], { type: "text/javascript" });
    worker = new Worker(URL.createObjectURL(script));
  } catch {
    return engine;
  }
  let answered = false, // by the worker, at least once
    failed = null, // why it does not answer; a host may forbid it only after it is made
    fail = () => {}; // the question that waits
  worker.onerror = event => {
    failed = new Error(event.message || "the worker has ended");
    fail(failed);
  };
  const ask = message =>
    new Promise((answer, refuse) => {
      if (failed) return refuse(failed);
      fail = refuse;
      worker.onmessage = ({ data: { error, ...found } }) => {
        answered = true;
        error === undefined ? answer(found) : refuse(new Error(error));
      };
      worker.postMessage(message);
    });
  worker.postMessage({ data });
  const remote = name =>
    async function* (setting) {
      let next;
      try {
        next = await ask({ name, setting });
      } catch (error) {
        if (!failed || answered) throw error;
        return yield* engine[name](setting);
      }
      for (; !next.done; next = await ask({})) yield next.value;
    };
  return { ...engine, run: remote("run"), controls: remote("controls") };
}

/* The worker's side: it answers every question but the first with the next value of a generator. */
function serve(scope, createEngine) {
  let engine, values;
  scope.onmessage = async ({ data: { data, name, setting } }) => {
    if (data) return (engine = createEngine(data));
    try {
      if (name) values = engine[name](setting);
      scope.postMessage(await values.next());
    } catch (error) {
      scope.postMessage({ error: error.message });
    }
  };
}
