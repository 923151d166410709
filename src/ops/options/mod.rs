//! One struct per operation: every option with its type, default and documentation.
//!
//! Options are written as pairs of name and value, and read here alike from forms, queries, the
//! command line and pipeline JSON. The same specifications feed the OpenAPI document and the help.

pub mod value;

pub use photo::{Auto, Denoise, Enhance, Factor, Restore, STEPS, Sepia, Steps};
pub use transform::{Fit, Flip, Gravity, Kernel, Rotate, Spot, Transform};
pub use value::{
    Extent, Ground, Int, Kind, Margins, ModelName, Num, Place, Region, Rgba, Scale, Trimap, Value,
};

use crate::error::Error;
use value::choice;

/// One option.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Its name.
    pub name: &'static str,
    /// Its default, written as a value; empty where it has none.
    pub default: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it does.
    pub doc: &'static str,
}

/// A set of options.
pub trait Options: Default {
    /// The options.
    const SPECS: &'static [Spec];

    /// Sets one option; `Ok(false)` where there is none of that name.
    ///
    /// # Errors
    /// [`Error::BadValue`].
    fn set(&mut self, name: &str, value: &str) -> Result<bool, Error>;
}

macro_rules! options {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $doc:literal])+ $field:ident: $kind:ty = $default:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name { $($(#[doc = $doc])+ pub $field: $kind,)+ }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: Value::parse($default).expect("a test reads every default"),)+ }
            }
        }

        impl Options for $name {
            const SPECS: &'static [Spec] = &[$(Spec {
                name: stringify!($field),
                default: $default,
                kind: <$kind as Value>::KIND,
                doc: concat!($($doc),+),
            },)+];

            fn set(&mut self, name: &str, value: &str) -> Result<bool, Error> {
                match name {
                    $(stringify!($field) => self.$field = Value::read(stringify!($field), value)?,)+
                    _ => return Ok(false),
                }
                Ok(true)
            }
        }
    };
}

// Below the macro that they use.
mod photo;
mod transform;

choice! {
    /// What background removal answers with.
    Cutout {
        /// The picture with its background gone.
        Cutout = "cutout",
        /// The matte alone, as a grey picture.
        Mask = "mask",
        /// A ZIP of both: `color.*` and `alpha.png`.
        Both = "both",
    }
}

choice! {
    /// A shadow under the subject.
    Shadow {
        /// No shadow.
        None = "none",
        /// A soft one below it.
        Drop = "drop",
    }
}

choice! {
    /// What to do where there is nothing to cut out.
    OnEmpty {
        /// Answer with a fully transparent picture.
        Transparent = "transparent",
        /// Answer with an error.
        Error = "error",
    }
}

options! {
    /// Options of background removal.
    RemoveBackground {
        /// Model to use; the built-in one where none is named.
        model: Option<ModelName> = "",
        /// What to answer with: the cutout, the mask, or a ZIP of both.
        output: Cutout = "cutout",
        /// What the cutout is put on: nothing, a colour, or the picture's own background blurred.
        background: Ground = "none",
        /// Cut the result down to the subject.
        crop: bool = "false",
        /// Space left around the subject when cropping, in pixels or percent of the subject.
        crop_margin: Margins = "0",
        /// Share of the picture that the subject is scaled to; it is then centred.
        scale: Option<Scale> = "",
        /// Where the subject is put.
        position: Place = "original",
        /// Width of the soft edge in pixels.
        feather: Num<0, 50> = "0",
        /// Moves the edge out (above 0) or in (below 0), in pixels.
        shift: Num<-50, 50> = "0",
        /// Full-resolution edges that follow the picture, and foreground colours without a halo.
        refine: bool = "true",
        /// Which values of the model's matte are sure; between them the picture decides.
        trimap: Option<Trimap> = "",
        /// A hard mask without specks, its outline smooth.
        postprocess: bool = "false",
        /// A shadow under the subject.
        shadow: Shadow = "none",
        /// Region of interest; everything outside it counts as background.
        roi: Option<Region> = "",
        /// The result is scaled down to this many megapixels.
        max_megapixels: Option<Num<0, 4096>> = "",
        /// Makes a hard mask: values from this on become 1, all others 0.
        threshold: Option<Num<0, 1>> = "",
        /// What to do where there is nothing to cut out.
        on_empty: OnEmpty = "transparent",
    }
}

choice! {
    /// The format of the answer.
    OutputFormat {
        /// As the client's `Accept` asks; else PNG where there is transparency or the input was
        /// PNG; else as the input was.
        Auto = "auto",
        /// PNG.
        Png = "png",
        /// WebP.
        Webp = "webp",
        /// JPEG; transparency is put on white.
        Jpeg = "jpeg",
        /// A ZIP of `color.jpg` and `alpha.png`: colours and transparency apart, which takes a
        /// fraction of the bytes of a PNG.
        Zip = "zip",
    }
}

choice! {
    /// How hard the PNG encoder tries.
    PngEffort {
        /// Fastest.
        Fast = "fast",
        /// In between.
        Balanced = "balanced",
        /// Smallest.
        Small = "small",
    }
}

choice! {
    /// At which resolution JPEG keeps colour.
    ColorDetail {
        /// Half below quality 90, full from there up.
        Auto = "auto",
        /// Half in both directions.
        Half = "4:2:0",
        /// Full.
        Full = "4:4:4",
    }
}

options! {
    /// How the result is written; the same for every operation.
    Output {
        /// Format of the answer.
        format: OutputFormat = "auto",
        /// Quality of JPEG and lossy WebP.
        quality: Int<1, 100> = "85",
        /// WebP without loss.
        lossless: bool = "false",
        /// How hard the encoder of PNG and lossless WebP tries.
        compression: PngEffort = "fast",
        /// JPEG that is shown coarsely before all of it has come.
        progressive: bool = "false",
        /// Resolution of colour in JPEG; auto is half below quality 90 and full from there up.
        subsampling: ColorDetail = "auto",
    }
}

/// The known name nearest to `name`, if it is near enough to be a typing error.
pub fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let scored = known.map(|candidate| (strsim::jaro_winkler(name, candidate), candidate));
    // 0.8 takes a swapped, missing or doubled letter and leaves out unrelated words.
    let near = scored.filter(|(score, _)| *score >= 0.8);
    near.max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<O: Options>() {
        let mut options = O::default();
        for spec in O::SPECS {
            assert!(spec.doc.trim().ends_with('.'), "{}", spec.name);
            assert_eq!(
                options.set(spec.name, spec.default),
                Ok(true),
                "{}",
                spec.name
            );
            assert!(options.set(spec.name, "\u{1}").is_err(), "{}", spec.name);
        }
        assert_eq!(options.set("no such option", ""), Ok(false));
    }

    #[test]
    fn every_default_is_a_value_of_its_own_option() {
        check::<RemoveBackground>();
        check::<Restore>();
        check::<Enhance>();
        check::<Transform>();
        check::<Output>();
    }

    #[test]
    fn a_typing_error_finds_its_name() {
        let names = || RemoveBackground::SPECS.iter().map(|spec| spec.name);
        assert_eq!(nearest("feahter", names()), Some("feather"));
        assert_eq!(nearest("colour_of_the_sky", names()), None);
    }
}
