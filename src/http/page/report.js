// The restoration report in plain words: what was found, and what was done about it.

/**
 * A list of sentences from the JSON of X-Restoration-Report; empty where there is none to read.
 * `auto`: the server was to choose the steps itself.
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
  const done = new Set(report.steps.map(({ step }) => step));
  const said = [
    scratches(found, done, auto), noise(found, done), blur(found, done), fading(found, done),
    done.has("contrast") ? "Flat areas: local contrast raised." : "",
    done.has("colorize") ? "Colour added: a guess of a model, not what was there." : "",
    faces(found, done),
    done.has("upscale") ? "Enlarged." : "",
  ].filter(Boolean);
  const changed = report.steps.some(({ step }) => WORK.includes(step));
  return [...said, ...(changed ? [] : ["Nothing needed doing."]), tint(found, done)].filter(Boolean);
}

/** The steps that change a picture; the others look at it. */
const WORK = ["scratches", "denoise", "dejpeg", "deblur", "fade", "contrast", "colorize", "faces", "upscale"];

/** Two digits are what such figures are worth. */
const figure = (value) => String(Number(Number(value).toPrecision(2)));
const percent = (share) => (share < 0.001 ? "less than 0.1 %" : `${figure(share * 100)} %`);

function scratches({ scratch_share: share }, done, auto) {
  if (typeof share !== "number") return auto ? "Scratches were not looked for: no model for them is installed here." : "";
  if (done.has("scratches")) return `${percent(share)} of the picture scratched: filled in.`;
  return share === 0 ? "No scratches found." : `Few or doubtful scratches (${percent(share)}): left alone.`;
}

/** One net takes out both, so either step may stand for the other. */
function noise({ noise_sigma: sigma, jpeg_quality: quality }, done) {
  if (!done.has("denoise") && !done.has("dejpeg")) return "";
  const coarse = quality && quality <= 70;
  const blocks = coarse ? `JPEG blocks found (quality ${quality}): smoothed.` : "JPEG blocks found: smoothed.";
  if (!done.has("denoise")) return blocks;
  return [`Noise found (sigma ${figure(sigma)}): removed.`, coarse ? blocks : ""].filter(Boolean).join(" ");
}

function blur({ blur_sigma: sigma }, done) {
  return done.has("deblur") ? `Blur found (${figure(sigma)} pixels): sharpened.` : "";
}

function fading({ black, white, cast }, done) {
  if (!done.has("fade")) return "";
  const tones = `Tones only from ${black} to ${white} of 255: spread out again.`;
  return cast >= 3 ? `${tones} Colour cast (${figure(cast)}): reduced.` : tones;
}

function faces({ faces: count }, done) {
  if (!done.has("faces") || typeof count !== "number") return "";
  if (count === 0) return "No faces found.";
  return count === 1 ? "One face: restored." : `${count} faces: restored.`;
}

function tint({ tone }, done) {
  if (done.has("colorize")) return "";
  return { monochrome: "Black and white: it stays so.", tinted: "A picture of one tint." }[tone] ?? "";
}
