// A model for a page without a back end: traits and listeners, nothing that computes.

function standin(traits) {
  const listeners = new Map();
  return {
    get: name => traits[name],
    set(name, value) {
      traits[name] = value;
      (listeners.get(`change:${name}`) ?? []).forEach(listener => listener());
    },
    save_changes() {},
    on: (event, listener) => listeners.set(event, [...(listeners.get(event) ?? []), listener]),
    off: (event, listener) =>
      listeners.set(
        event,
        (listeners.get(event) ?? []).filter(each => each !== listener),
      ),
  };
}
