// The files of the exported model, with progress and checks.

// Fetches the files that the manifest names, as bytes by name.
//
// `base` is the address of their folder, `tell(loaded, total)` is called as bytes arrive. Throws an
// Error that a visitor understands, here and below.
export async function downloadModel(base, { files }, tell) {
  const total = Object.values(files).reduce((sum, { bytes }) => sum + bytes, 0);
  let loaded = 0;
  const arrived = (bytes) => tell((loaded += bytes), total);
  const found = {};
  for (const name of Object.keys(files))
    found[name] = await download(base, name, files[name], arrived);
  return found;
}

async function download(base, name, { bytes, sha256 }, arrived) {
  const failed = (why) =>
    new Error(`${name} could not be downloaded (${why}); reload the page to try again`);
  const data = new Uint8Array(bytes);
  let at = 0;
  try {
    const response = await fetch(new URL(`${name}?${sha256.slice(0, 8)}`, base));
    if (!response.ok) throw new Error(`status ${response.status}`);
    const reader = response.body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (at + part.value.length > bytes) throw new Error("it is longer than it should be");
      data.set(part.value, at);
      at += part.value.length;
      arrived(part.value.length);
    }
  } catch (error) {
    throw failed(error.message);
  }
  if (at < bytes || !(await isIntact(data, sha256))) throw failed("it arrived damaged");
  return data;
}

// crypto.subtle is missing where a page comes over plain HTTP from another machine; there only the
// length is checked.
async function isIntact(data, sha256) {
  if (!globalThis.crypto?.subtle) return true;
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("") === sha256;
}
