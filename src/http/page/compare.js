// The slider over both pictures. The range input is the one truth; pointer and keyboard both move it.

export class Compare {
  #pictures;
  #range;
  #before;
  #after;

  constructor(pictures) {
    this.#pictures = pictures;
    this.#range = pictures.querySelector("#compare");
    this.#before = pictures.querySelector("#before");
    this.#after = pictures.querySelector("#result");
    this.#range.addEventListener("input", () => this.#split());
    this.#listen();
    this.#split();
  }

  /** Shows the two pictures (the second may be null); settles when the browser has read them. */
  async show(before, after) {
    this.#pictures.classList.remove("aside");
    this.#pictures.classList.toggle("single", !after);
    this.#range.disabled = !after;
    this.#after.hidden = !after;
    await Promise.all([load(this.#before, before), load(this.#after, after)]);
    if (!after || this.#after.getAttribute("src") !== after) return;
    const aside = !sameShape(this.#before, this.#after);
    this.#pictures.classList.toggle("aside", aside);
    this.#range.disabled = aside;
    this.#range.value = "50";
    this.#split();
  }

  /** Two shapes cannot lie on each other; they stand side by side. */
  get aside() {
    return this.#pictures.classList.contains("aside");
  }

  #split() {
    const value = this.#range.value;
    this.#pictures.style.setProperty("--split", `${value}%`);
    this.#range.setAttribute("aria-valuetext", `${value} % original, ${100 - value} % result`);
  }

  /** Dragging anywhere on the picture: not every browser lets a finger drag a range by its track. */
  #listen() {
    const move = (event) => {
      const box = this.#pictures.getBoundingClientRect();
      const share = (event.clientX - box.left) / box.width;
      this.#range.value = String(Math.round(Math.min(1, Math.max(0, share)) * 100));
      this.#split();
    };
    this.#pictures.addEventListener("pointerdown", (event) => {
      if (this.#range.disabled || event.button !== 0) return;
      event.preventDefault(); // else the browser takes the focus away from the range again
      this.#pictures.setPointerCapture(event.pointerId);
      this.#range.focus({ preventScroll: true, focusVisible: false });
      move(event);
    });
    this.#pictures.addEventListener("pointermove", (event) => {
      if (this.#pictures.hasPointerCapture(event.pointerId)) move(event);
    });
  }
}

/** A picture the browser cannot show is no reason to wait for ever. */
function load(image, url) {
  if (!url) {
    image.removeAttribute("src");
    return Promise.resolve();
  }
  if (image.getAttribute("src") !== url) image.src = url;
  return image.decode().catch(() => {});
}

function sameShape(one, other) {
  const shape = (image) => image.naturalWidth / image.naturalHeight;
  return Math.abs(Math.log(shape(one) / shape(other))) < 0.01;
}
