//! Holds what a model file declares of its inputs and outputs against what its entry says of them,
//! so that a wrong pair fails when it is loaded and not at the first request.

use ort::value::{Outlet, TensorElementType, ValueType};

use crate::engine::{
    faces, kind,
    manifest::{Activation, Colors, Entry, Input, Task},
};

/// The element types that are converted from and to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// 32-bit floating point.
    F32,
    /// 16-bit floating point.
    F16,
    /// 64-bit floating point.
    F64,
    /// Bytes.
    U8,
}

/// The element types of the inputs.
type Taken = Vec<Element>;
/// The outputs that the task needs, with their element types.
type Given = Vec<(String, Element)>;

/// What goes into the file's model, and what comes out.
///
/// # Errors
/// A sentence with what was found and what the entry says.
pub fn check(
    entry: &Entry,
    inputs: &[Outlet],
    outputs: &[Outlet],
) -> Result<(Taken, Given), String> {
    if inputs.len() != entry.inputs.len() {
        return Err(format!(
            "the file has {} inputs ({}), its entry {}",
            inputs.len(),
            names(inputs),
            entry.inputs.len()
        ));
    }
    let taken = inputs.iter().zip(&entry.inputs);
    let taken = taken.map(|(outlet, input)| takes(entry, outlet, *input));
    let taken = taken.collect::<Result<_, String>>()?;
    let given = match entry.task {
        Task::FaceDetect => {
            let named = faces::OUTPUTS.iter().map(|name| {
                let outlet = outputs.iter().find(|outlet| outlet.name() == *name);
                outlet.ok_or_else(|| format!("the file has no output {name}: {}", names(outputs)))
            });
            let named = named.collect::<Result<Vec<_>, String>>()?;
            let element = |outlet: &Outlet| Ok((outlet.name().to_owned(), tensor(outlet)?.0));
            named
                .into_iter()
                .map(element)
                .collect::<Result<_, String>>()?
        }
        _ => {
            let outlet = outputs.get(entry.output).ok_or_else(|| {
                format!(
                    "the file has {} outputs ({}), its entry asks for number {} from 0",
                    outputs.len(),
                    names(outputs),
                    entry.output
                )
            })?;
            let mut given = vec![(outlet.name().to_owned(), gives(entry, outlet)?)];
            if entry.inputs.contains(&Input::Quality) {
                let after = outputs.get(entry.output + 1).ok_or_else(|| {
                    format!(
                        "the file has no output after {} that says the quality",
                        outlet.name()
                    )
                })?;
                given.push((after.name().to_owned(), number(after, "output")?));
            }
            given
        }
    };
    Ok((taken, given))
}

fn takes(entry: &Entry, outlet: &Outlet, input: Input) -> Result<Element, String> {
    let (element, shape) = tensor(outlet)?;
    let channels = match input {
        Input::Image => 3,
        Input::Subject | Input::ImageMask => 4,
        Input::Mask | Input::Keep => 1,
        Input::Fidelity | Input::Quality => return number(outlet, "input"),
    };
    let side = entry.fixed_side().map_or(-1, i64::from);
    let free = |declared: i64| declared < 1;
    let fits = match shape[..] {
        [n, c, h, w] => {
            n <= 1
                && (free(c) || c == channels)
                && [h, w]
                    .iter()
                    .all(|&declared| free(declared) || declared == side)
        }
        _ => false,
    };
    if fits {
        return Ok(element);
    }
    let side = match entry.fixed_side() {
        Some(side) => format!("{side} x {side}"),
        None => "height x width (any)".to_owned(),
    };
    Err(format!(
        "input {} has the shape {}, its entry says 1 x {channels} x {side}",
        outlet.name(),
        shown(&shape)
    ))
}

fn gives(entry: &Entry, outlet: &Outlet) -> Result<Element, String> {
    let (element, shape) = tensor(outlet)?;
    let channels = match (entry.task, entry.activation, entry.colors) {
        (Task::Cutout | Task::Scratch, Activation::Argmax, _) => 2,
        (Task::Cutout | Task::Scratch, ..) => 1,
        (Task::Colorize, _, Colors::Ab) => 2,
        (Task::Kind, ..) => kind::KINDS.len() as i64,
        _ => 3,
    };
    // Classes may be more than two; a matte may come without its first dimensions. It is of the
    // shape of its input, larger or smaller: what is a row or a list of numbers is none.
    let fits = match (entry.task, &shape[..]) {
        (Task::Cutout | Task::Scratch, [first @ .., h, w]) => {
            let (planes, batch) = match first {
                [batch @ .., planes] => (*planes, batch),
                [] => (1, first),
            };
            let enough = match entry.activation {
                Activation::Argmax => planes >= channels,
                _ => planes == channels,
            };
            let square = entry.fixed_side().is_none() || *h < 1 || *w < 1 || h == w;
            let lone = batch.iter().all(|&n| n <= 1);
            (planes < 1 || enough) && lone && *h != 1 && *w != 1 && square
        }
        // One number each.
        (Task::Kind, [n, c]) => *n <= 1 && *c == channels,
        (_, [n, c, ..]) => shape.len() == 4 && *n <= 1 && (*c < 1 || *c == channels),
        _ => false,
    };
    // A larger or smaller picture than promised would be seen at the first request only.
    let promised = entry
        .fixed_side()
        .map(|side| i64::from(side * entry.factor));
    let sized = match (entry.task, &shape[..]) {
        (Task::Cutout | Task::Colorize | Task::Kind, _) | (_, []) => true,
        (_, [.., h, w]) => [h, w]
            .iter()
            .all(|&&declared| declared < 1 || promised.is_none_or(|side| declared == side)),
        _ => true,
    };
    match fits && sized {
        true => Ok(element),
        false => Err(format!(
            "output {} has the shape {}, which is not what a model for {} gives ({}{channels} \
             plane{}{})",
            outlet.name(),
            shown(&shape),
            entry.task.name(),
            if entry.activation == Activation::Argmax {
                "at least "
            } else {
                ""
            },
            if channels == 1 { "" } else { "s" },
            promised.map_or_else(String::new, |side| format!(" of {side} x {side}")),
        )),
    }
}

fn number(outlet: &Outlet, what: &str) -> Result<Element, String> {
    let (element, shape) = tensor(outlet)?;
    match shape.iter().all(|&side| side <= 1) {
        true => Ok(element),
        false => Err(format!(
            "{what} {} has the shape {}, its entry says one number",
            outlet.name(),
            shown(&shape)
        )),
    }
}

fn tensor(outlet: &Outlet) -> Result<(Element, Vec<i64>), String> {
    let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else {
        return Err(format!("{} is no tensor", outlet.name()));
    };
    let element = match ty {
        TensorElementType::Float32 => Element::F32,
        TensorElementType::Float16 => Element::F16,
        TensorElementType::Float64 => Element::F64,
        TensorElementType::Uint8 => Element::U8,
        other => return Err(format!("{} is of the type {other}", outlet.name())),
    };
    Ok((element, shape.iter().copied().collect()))
}

fn names(outlets: &[Outlet]) -> String {
    let names = outlets.iter().map(Outlet::name);
    names.collect::<Vec<_>>().join(", ")
}

fn shown(shape: &[i64]) -> String {
    let sides = shape.iter().map(|&side| match side {
        ..1 => "any".to_owned(),
        side => side.to_string(),
    });
    sides.collect::<Vec<_>>().join(" x ")
}
