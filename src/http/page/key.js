// A key for servers that ask for one. It lives in this variable until the page is left or it is
// forgotten, and is stored nowhere: the field is no password field, so that no browser offers to keep it.

let key = "";

export const hasKey = () => key !== "";

/** The headers of a request that works on a picture. */
export function keyHeaders() {
  return key ? { Authorization: `Bearer ${key}` } : {};
}

/** Wires the form `box`; `use()` is called when a key was given or forgotten. */
export function listenForKey(box, note, use) {
  const field = box.querySelector("input");
  box.addEventListener("submit", (event) => {
    event.preventDefault();
    // Headers hold bytes: what is more cannot be part of a key.
    key = /^[\x21-\x7e]+$/.test(field.value.trim()) ? field.value.trim() : "";
    field.setAttribute("aria-invalid", String(!key));
    if (!key) return field.focus();
    field.value = "";
    return use();
  });
  note.querySelector("button").addEventListener("click", () => {
    key = "";
    use();
  });
}
