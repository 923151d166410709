// The restoration report in plain words: what was found, and what was done about it.

/**
 * What the JSON of X-Restoration-Report says, as [{ text, done }]: `done` where something was done
 * about it. Empty where there is nothing to read. `auto`: the server was to choose the steps itself.
 */
export function reportInWords(header, auto) {
  let report;
  try {
    report = JSON.parse(header);
  } catch {
    return [];
  }
  const found = report?.found;
  if (!found || !Array.isArray(report.steps)) return [];
  const steps = new Set(report.steps.map(({ step }) => step));
  const done = [
    steps.has("scratches") ? `${percent(found.scratch_share)} of the picture scratched: filled in.` : "",
    noise(found, steps),
    steps.has("deblur") ? `${found.blur_sigma < SHARP ? "Hardly any blur" : "Blur"} found (${figure(found.blur_sigma)} pixels): sharpened.` : "",
    fading(found, steps),
    steps.has("contrast") ? "Flat areas: local contrast raised." : "",
    steps.has("colorize") ? "Colour added: a guess of a model, not what was there." : "",
    steps.has("faces") && found.faces ? `${found.faces === 1 ? "One face" : `${found.faces} faces`} found: restored.` : "",
    steps.has("upscale") ? "Enlarged." : "",
  ];
  const notes = [
    WORK.some((step) => steps.has(step)) ? "" : "Nothing needed doing.",
    unmended(found, steps, auto),
    steps.has("faces") && !found.faces ? "No faces found." : "",
    steps.has("colorize") ? "" : { monochrome: "Black and white: it stays so.", tinted: "A picture of one tint." }[found.tone],
  ];
  const lines = (texts, what) => texts.filter(Boolean).map((text) => ({ text, done: what }));
  return [...lines(done, true), ...lines(notes, false)];
}

/** The steps that change a picture; the others look at it. */
const WORK = ["scratches", "denoise", "dejpeg", "deblur", "fade", "contrast", "colorize", "faces", "upscale"];

/** Below these figures hardly any noise or blur is to be seen: clean, sharp photographs measure so. */
const CLEAN = 2;
const SHARP = 0.8;

/** Two digits are what such figures are worth. */
const figure = (value) => String(Number(Number(value).toPrecision(2)));
const percent = (share) => (share < 0.001 ? "Less than 0.1 %" : `${figure(share * 100)} %`);

function unmended({ scratch_share: share }, steps, auto) {
  if (steps.has("scratches")) return "";
  if (typeof share !== "number") return auto ? "Scratches were not looked for: no model for them is installed here." : "";
  return share === 0 ? "No scratches found." : `${percent(share)} of the picture may be scratched: left alone.`;
}

/** One net takes out both, so either step may stand for the other. */
function noise({ noise_sigma: sigma, jpeg_quality: quality }, steps) {
  const coarse = quality && quality <= 70;
  const blocks = coarse ? `JPEG blocks found (quality ${quality}): smoothed.` : "JPEG blocks found: smoothed.";
  if (steps.has("denoise")) return `${sigma < CLEAN ? "Hardly any noise" : "Noise"} found (sigma ${figure(sigma)}): removed.${coarse ? ` ${blocks}` : ""}`;
  return steps.has("dejpeg") ? blocks : "";
}

function fading({ black, white, cast }, steps) {
  if (!steps.has("fade")) return "";
  const tones = `Tones only from ${black} to ${white} of 255: spread out again.`;
  return cast >= 3 ? `${tones} Colour cast (${figure(cast)}): reduced.` : tones;
}
