// What the page can ask for, as data: one entry an operation, one entry a control.
//
// A control: `name`, `kind` (choice, toggle, range, number, colour, picture, steps), `label`, `initial`,
// and, where needed, `when(values)` (else not shown and not sent), `option` (its name in the API, if
// another) and `wire(value, values)`: the [name, value] pairs to send. Without `wire` a value is sent
// when it differs from `initial`, which is the server's default.

const only = (name, value) => (values) => values[name] === value;
const nothing = () => [];

const FORMAT = {
  name: "format", kind: "choice", label: "File format", initial: "auto",
  values: [["auto", "Auto"], ["png", "PNG"], ["webp", "WebP"], ["jpeg", "JPEG"]],
};

// Sent whenever it is shown: what the slider says is what the server does, whatever its default.
const QUALITY = {
  name: "quality", kind: "range", label: "Quality", initial: 85, min: 1, max: 100, step: 1,
  when: (values) => values.format === "jpeg" || values.format === "webp",
  wire: (value) => [["quality", String(value)]],
};

const STRENGTH = {
  name: "strength", kind: "range", label: "Strength", initial: 1, min: 0, max: 1, step: 0.05,
};

const SCALE = {
  name: "scale", kind: "choice", label: "Enlarge", initial: "1",
  values: [["1", "No"], ["2", "2 ×"], ["4", "4 ×"]],
};

/** The background controls become one option, or one more file. */
function backgroundPairs(kind, values) {
  switch (kind) {
    case "colour": return [["background", values.background_colour]];
    case "blur": return [["background", `blur:${values.background_blur}`]];
    case "picture": return values.background_picture ? [["background_file", values.background_picture]] : [];
    default: return [];
  }
}

export const OPERATIONS = [
  {
    id: "remove-background",
    path: "/v1/remove-background",
    title: "Remove background",
    suffix: (values) => ({ mask: "mask", both: "cutout" }[values.output] ?? "cutout"),
    controls: [
      {
        name: "output", kind: "choice", label: "Result", initial: "cutout",
        values: [["cutout", "Cutout"], ["mask", "Mask"], ["both", "Both (ZIP)"]],
      },
      {
        name: "background", kind: "choice", label: "New background", initial: "none",
        values: [["none", "None"], ["colour", "Colour"], ["blur", "Blur"], ["picture", "Picture"]],
        when: only("output", "cutout"), wire: backgroundPairs,
      },
      {
        name: "background_colour", option: "background", kind: "colour", label: "Background colour",
        initial: "#ffffff", when: only("background", "colour"), wire: nothing,
      },
      {
        name: "background_blur", option: "background", kind: "range", label: "Blur radius",
        initial: 20, min: 1, max: 100, step: 1, unit: "px", when: only("background", "blur"), wire: nothing,
      },
      {
        name: "background_picture", option: "background_file", kind: "picture", label: "Background picture",
        initial: null, when: only("background", "picture"), wire: nothing, required: "Choose a background picture first.",
      },
      { name: "crop", kind: "toggle", label: "Crop to what was cut out", initial: false },
      {
        name: "crop_margin", kind: "range", label: "Margin around it", initial: 0, min: 0, max: 200, step: 1,
        unit: "px", when: only("crop", true), wire: (value) => (value ? [["crop_margin", `${value}px`]] : []),
      },
      { name: "refine", kind: "toggle", label: "Refine edges at full resolution", initial: true },
      { name: "feather", kind: "range", label: "Soften the edge", initial: 0, min: 0, max: 50, step: 1, unit: "px" },
      {
        name: "shift", kind: "range", label: "Move the edge (− in, + out)", initial: 0, min: -50, max: 50, step: 1, unit: "px",
      },
      {
        name: "shadow", kind: "choice", label: "Shadow", initial: "none",
        values: [["none", "None"], ["drop", "Drop shadow"]], when: only("output", "cutout"),
      },
      FORMAT, QUALITY,
    ],
  },
  {
    id: "restore",
    path: "/v1/restore",
    title: "Restore",
    suffix: () => "restored",
    controls: [
      {
        // `values` that the server does not describe are not shown; `auto` likewise.
        name: "steps", kind: "steps", label: "Steps", initial: "auto", fallback: ["denoise", "dejpeg"],
        values: [
          ["denoise", "Remove noise"], ["dejpeg", "Remove JPEG blocks"], ["scratches", "Mend scratches and dust"],
          ["deblur", "Sharpen blur"], ["fade", "Undo fading and colour cast"], ["contrast", "Local contrast"],
          ["colorize", "Add colour"], ["faces", "Faces"], ["upscale", "Enlarge"],
        ],
        required: "Choose at least one step.",
      },
      STRENGTH, SCALE, FORMAT, QUALITY,
    ],
  },
  {
    id: "enhance",
    path: "/v1/enhance",
    title: "Enhance",
    suffix: () => "enhanced",
    controls: [
      { name: "tone", kind: "choice", label: "Tone", initial: "auto", values: [["auto", "Auto"], ["none", "Leave"]] },
      {
        name: "white_balance", kind: "choice", label: "White balance", initial: "auto",
        values: [["auto", "Auto"], ["none", "Leave"]],
      },
      {
        name: "denoise", kind: "choice", label: "Noise", initial: "auto",
        values: [["auto", "Auto"], ["0", "Leave"], ["0.5", "Some"], ["1", "Strong"]],
      },
      {
        name: "sharpen", kind: "range", label: "Sharpen", initial: 1, min: 0, max: 2, step: 0.1,
        wire: (value) => [["sharpen", String(value)]],
      },
      SCALE, STRENGTH, FORMAT, QUALITY,
    ],
  },
  {
    id: "transform",
    path: "/v1/transform",
    title: "Transform",
    suffix: () => "edited",
    controls: [
      { name: "width", kind: "number", label: "Width", initial: "", min: 1, max: 16384, unit: "px" },
      { name: "height", kind: "number", label: "Height", initial: "", min: 1, max: 16384, unit: "px" },
      {
        name: "fit", kind: "choice", label: "Fit", initial: "inside",
        values: [["inside", "Inside"], ["contain", "Pad"], ["cover", "Cover"], ["fill", "Stretch"], ["outside", "Outside"]],
      },
      { name: "enlarge", kind: "toggle", label: "Enlarge small pictures", initial: false },
      {
        name: "rotate", kind: "choice", label: "Rotate", initial: "0",
        values: [["0", "No"], ["90", "90°"], ["180", "180°"], ["270", "270°"]],
      },
      {
        name: "flip", kind: "choice", label: "Flip", initial: "none",
        values: [["none", "No"], ["h", "Left–right"], ["v", "Top–bottom"]],
      },
      { name: "grayscale", kind: "toggle", label: "Black and white", initial: false },
      { name: "blur", kind: "range", label: "Blur", initial: 0, min: 0, max: 50, step: 0.5 },
      { name: "sharpen", kind: "range", label: "Sharpen", initial: 0, min: 0, max: 2, step: 0.1 },
      FORMAT, QUALITY,
    ],
  },
];
