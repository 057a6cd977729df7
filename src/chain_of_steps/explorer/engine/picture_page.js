// Opens the page of the picture model: downloads the model, then hands over to the explorer.
import { downloadModel } from "./download.js";

// What a visitor reads if the page cannot work where it is; null if it can.
function obstacle({ protocol }) {
  if (protocol === "file:")
    return (
      "This page loads a network and has to come from a web server. In the folder of this file, " +
      "run “python -m http.server”, then open http://localhost:8000/ and this page there."
    );
  if (typeof WebAssembly !== "object")
    return (
      "This browser has no WebAssembly, or it is switched off; it runs the network. " +
      "A current Firefox, Chrome, Edge or Safari has it."
    );
  return null;
}

// Returns the bytes of the model's files, or null after it has said why there are none.
export async function openModel(base, manifest, place) {
  const say = (...nodes) => place.replaceChildren(...nodes);
  const fail = (why) => {
    const message = Object.assign(document.createElement("strong"), { textContent: why });
    message.setAttribute("role", "alert");
    say(message);
    return null;
  };
  const why = obstacle(location);
  if (why) return fail(why);
  const bar = Object.assign(document.createElement("progress"), { max: 1, value: 0 });
  bar.setAttribute("aria-label", "download of the network");
  const said = document.createElement("span");
  say(bar, said);
  const inMegabytes = (bytes) => (bytes / 1e6).toFixed(1);
  try {
    const files = await downloadModel(base, manifest, (loaded, total) => {
      bar.value = loaded / total;
      said.textContent = ` ${inMegabytes(loaded)} of ${inMegabytes(total)} MB`;
    });
    say();
    return files;
  } catch (error) {
    return fail(error.message);
  }
}
