// The server's own privacy notice, one click away: made by the running program, shown as text.

import { element } from "./words.js";

/** Opens the notice where `link` would lead to it; without this code the link itself does. */
export function listenForNotice(link, dialog) {
  const body = dialog.querySelector(".notice-text");
  link.addEventListener("click", async (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (!dialog.open) dialog.showModal();
    body.setAttribute("aria-busy", "true");
    body.replaceChildren(...await notice());
    body.removeAttribute("aria-busy");
    body.scrollTop = 0;
  });
  // A click on the backdrop is one on the dialog itself, whose content fills it.
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
}

async function notice() {
  try {
    const answer = await fetch("v1/privacy", { headers: { Accept: "text/markdown" } });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return drawn(await answer.text());
  } catch {
    return [element("p", { textContent: "The notice could not be read. Is the server running?" })];
  }
}

/** Headings, lists and paragraphs of Markdown as elements. Text only ever goes in as text. */
function drawn(markdown) {
  const made = [];
  for (const line of markdown.split("\n")) {
    const [, marks, text] = /^(#{1,3} |- |\s+|)(.*)$/.exec(line);
    const last = made.at(-1);
    if (!text) continue;
    if (marks.startsWith("#")) made.push(element(`h${marks.length}`, {}, marked(text)));
    else if (marks === "- " && last?.localName === "ul") last.append(element("li", {}, marked(text)));
    else if (marks === "- ") made.push(element("ul", {}, [element("li", {}, marked(text))]));
    else if (marks && last?.localName === "ul") last.lastChild.append(element("small", {}, marked(text)));
    else made.push(element("p", {}, marked(text)));
  }
  return made;
}

/** What stands between backticks is code. */
function marked(text) {
  return text.split("`").map((part, at) => (at % 2 ? element("code", { textContent: part }) : part));
}
