// The page without a kernel: traits come from the link and go back into it.
import { Traits, fromHash, toHash } from "./config.js";
import { render } from "./page.js";

const data = JSON.parse(document.getElementById("data").textContent);
const chosen = fromHash(location.hash);
const model = new Traits({ ...data, ...chosen });
model.on("change", () => {
  const values = Object.fromEntries(Object.keys(chosen).map((name) => [name, model.get(name)]));
  history.replaceState(null, "", `#${toHash(values)}`);
});
addEventListener("hashchange", () => location.reload()); // another link
render({ model, el: document.querySelector("main") });
