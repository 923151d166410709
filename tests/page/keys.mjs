// A server that asks for a key: the page says so, takes one, and stores it nowhere.

const STORED = `(async () => {
  const databases = await indexedDB.databases?.() ?? [];
  const caches = await self.caches?.keys() ?? [];
  return localStorage.length + sessionStorage.length + document.cookie.length + databases.length + caches.length;
})()`;

/** Counts when the page leaves its state of error: a refusal comes too soon to be waited for. */
const COUNT = `(() => {
  window.tried = 0;
  const look = () => { window.tried += document.documentElement.dataset.state === "error" ? 0 : 1; };
  new MutationObserver(look).observe(document.documentElement, { attributes: true, attributeFilter: ["data-state"] });
})()`;

export default async function keys(visitor, picture, key) {
  await visitor.choose([picture]);
  visitor.expect(await visitor.result() === "error", "without a key there is no result");
  const refused = await visitor.text("#error");
  visitor.expect(await visitor.see(`!document.getElementById("key-box").hidden`), "a key can be given");
  await visitor.shoot("key");

  await visitor.see(COUNT);
  await visitor.click("#key");
  await visitor.type("no such key");
  await visitor.press("Enter");
  visitor.expect(await visitor.see(`document.getElementById("key").getAttribute("aria-invalid")`) === "true", "words are no key");
  await visitor.see(`document.getElementById("key").value = ""`);
  await visitor.type("wrong.0000");
  await visitor.press("Enter");
  await visitor.until("window.tried > 0", "it is tried");
  visitor.expect(await visitor.result() === "error", "a wrong key gives no result");

  await visitor.see("window.tried = 0");
  await visitor.click("#key");
  await visitor.type(key);
  await visitor.click("#key-box button");
  await visitor.until("window.tried > 0", "it is tried again");
  const state = await visitor.result();
  visitor.expect(await visitor.see(`document.getElementById("key-box").hidden`), "the field goes");
  await visitor.click("#copy-curl");
  const curl = await visitor.text("#curl");
  const held = await visitor.see(`document.documentElement.outerHTML.includes(${JSON.stringify(key)}) || document.getElementById("key").value !== ""`);
  visitor.expect(!held, "the key is nowhere in the document");
  visitor.expect(await visitor.see(STORED) === 0, "something is stored");
  await visitor.click("#key-note button");
  await visitor.click("#run");
  visitor.expect(await visitor.result() === "error", "a forgotten key is not sent");
  // What was refused is said by the browser too, and is no fault of the page.
  visitor.seen.errors = visitor.seen.errors.filter((error) => !error.includes("401"));
  return { state, refused, curl };
}
