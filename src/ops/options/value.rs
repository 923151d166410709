//! The types of option values: how each is written, and what it takes.

mod place;

pub use place::{Extent, Margins, Place, Region, Scale};

use crate::error::Error;

/// What an option takes, for the OpenAPI document, the command line and messages.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number in this range.
    Integer(i64, i64),
    /// A number in this range.
    Number(f64, f64),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A comma-separated list of these words, or one of the words after it alone.
    List(&'static [&'static str], &'static [&'static str]),
    /// Text of a form that the sentence describes, with an example.
    Text(&'static str, &'static str),
}

impl Kind {
    /// What the option takes, in words.
    pub fn expects(self) -> String {
        match self {
            Self::Flag => "true or false".to_owned(),
            Self::Integer(low, high) => format!("a whole number from {low} to {high}"),
            Self::Number(low, high) => format!("a number from {low} to {high}"),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::List(words, alone) => {
                let alone: String = alone.iter().map(|word| format!("{word}, or ")).collect();
                format!("{alone}a comma-separated list of {}", words.join(", "))
            }
            Self::Text(form, _) => form.to_owned(),
        }
    }
}

/// A value of an option.
pub trait Value: Sized {
    /// What it takes.
    const KIND: Kind;

    /// The value that `text` writes; `None` where it writes none.
    fn parse(text: &str) -> Option<Self>;

    /// The value of `option`.
    ///
    /// # Errors
    /// [`Error::BadValue`] with what the option takes; the text itself is not repeated.
    fn read(option: &'static str, text: &str) -> Result<Self, Error> {
        Self::parse(text).ok_or_else(|| Error::bad_value(option, Self::KIND.expects()))
    }
}

impl Value for bool {
    const KIND: Kind = Kind::Flag;

    /// In any case: Python writes `True`, and so do clients that are generated in it.
    fn parse(text: &str) -> Option<Self> {
        text.to_ascii_lowercase().parse().ok()
    }
}

/// A whole number from `LOW` to `HIGH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Int<const LOW: i32, const HIGH: i32>(pub i32);

impl<const LOW: i32, const HIGH: i32> Value for Int<LOW, HIGH> {
    const KIND: Kind = Kind::Integer(LOW as i64, HIGH as i64);

    fn parse(text: &str) -> Option<Self> {
        text.parse()
            .ok()
            .filter(|n| (LOW..=HIGH).contains(n))
            .map(Self)
    }
}

/// A number from `LOW` to `HIGH`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Num<const LOW: i32, const HIGH: i32>(pub f32);

impl<const LOW: i32, const HIGH: i32> Value for Num<LOW, HIGH> {
    const KIND: Kind = Kind::Number(LOW as f64, HIGH as f64);

    fn parse(text: &str) -> Option<Self> {
        let number: f32 = text.parse().ok()?;
        (LOW as f32..=HIGH as f32)
            .contains(&number)
            .then_some(Self(number))
    }
}

/// Empty text is no value.
impl<T: Value> Value for Option<T> {
    const KIND: Kind = T::KIND;

    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            Some(None)
        } else {
            T::parse(text).map(Some)
        }
    }
}

/// An enum of words, with its [`Value`].
macro_rules! choice {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl Value for $name {
            const KIND: Kind = Kind::Choice(&[$($word),+]);

            fn parse(text: &str) -> Option<Self> {
                match text {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}
pub(super) use choice;

/// The name of a model: 1 to 64 letters, digits, `-`, `_` or `.`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelName(pub String);

impl Value for ModelName {
    const KIND: Kind = Kind::Text("the name of a model; GET /v1/models lists them", "");

    fn parse(text: &str) -> Option<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let fits = (1..=64).contains(&text.len()) && text.chars().all(plain);
        fits.then(|| Self(text.to_owned()))
    }
}

/// What a cutout is put on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ground {
    /// Nothing: transparency.
    None,
    /// One colour, red, green, blue, alpha.
    Color([u8; 4]),
    /// The picture's own background, blurred; the radius in pixels, or one made for the size.
    Blur(Option<f32>),
}

impl Value for Ground {
    const KIND: Kind = Kind::Text(
        "`none`, a colour (#rgb, #rrggbb, #rrggbbaa or a CSS name), `blur`, or `blur:RADIUS` \
         with a radius from 0.5 to 500 pixels",
        "#ffffff",
    );

    fn parse(text: &str) -> Option<Self> {
        match text {
            "none" | "transparent" => Some(Self::None),
            "blur" => Some(Self::Blur(None)),
            _ => match text.strip_prefix("blur:") {
                Some(radius) => {
                    let radius: f32 = radius.parse().ok()?;
                    (0.5..=500.0)
                        .contains(&radius)
                        .then_some(Self::Blur(Some(radius)))
                }
                None => Rgba::parse(text).map(|color| Self::Color(color.0)),
            },
        }
    }
}

/// A colour, red, green, blue, alpha: `#rgb`, `#rgba`, `#rrggbb`, `#rrggbbaa` (the `#` may be
/// missing) or a name of CSS Color Module Level 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rgba(pub [u8; 4]);

impl Value for Rgba {
    const KIND: Kind = Kind::Text(
        "a colour: #rgb, #rrggbb, #rrggbbaa or a CSS name",
        "#ffffff",
    );

    fn parse(text: &str) -> Option<Self> {
        // The crate also reads functions such as hsl(); an option is a plain word.
        let plain = text.strip_prefix('#').unwrap_or(text);
        if plain.is_empty() || !plain.chars().all(|c| c.is_ascii_alphanumeric()) {
            return None;
        }
        let color = csscolorparser::parse(text).ok()?;
        Some(Self(color.to_rgba8()))
    }
}

/// Which values of the model's matte are sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trimap {
    /// Values above it are subject.
    pub subject: u8,
    /// Values below it are ground.
    pub ground: u8,
    /// Both are taken back by a square of so many pixels before they count.
    pub erode: u16,
}

impl Value for Trimap {
    const KIND: Kind = Kind::Text(
        "`subject,ground,erode`: two matte values from 0 to 255, and pixels from 0 to 1000",
        "240,10,10",
    );

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(',');
        let trimap = Self {
            subject: words.next()?.parse().ok()?,
            ground: words.next()?.parse().ok()?,
            erode: words.next()?.parse().ok()?,
        };
        (words.next().is_none() && trimap.erode <= 1000).then_some(trimap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outside_their_range_are_refused() {
        assert_eq!(Num::<0, 50>::parse("12.5"), Some(Num(12.5)));
        for bad in ["-0.1", "50.1", "nan", "inf", "", "1e99", "5 "] {
            assert_eq!(Num::<0, 50>::parse(bad), None, "{bad}");
        }
        assert_eq!(Int::<1, 100>::parse("100"), Some(Int(100)));
        assert_eq!(Int::<1, 100>::parse("0"), None);
    }

    #[test]
    fn colours_are_hex_or_css_names() {
        assert_eq!(Rgba::parse("#f00"), Some(Rgba([255, 0, 0, 255])));
        assert_eq!(
            Rgba::parse("81d4fa77"),
            Some(Rgba([0x81, 0xd4, 0xfa, 0x77]))
        );
        assert_eq!(
            Rgba::parse("rebeccapurple"),
            Some(Rgba([0x66, 0x33, 0x99, 255]))
        );
        assert_eq!(Rgba::parse("hsl(0,1%,1%)"), None);
        assert_eq!(Ground::parse("blur:12"), Some(Ground::Blur(Some(12.0))));
        assert_eq!(Ground::parse("blur:0"), None);
    }

    #[test]
    fn a_trimap_is_two_values_and_a_size() {
        let trimap = Trimap::parse("240,10,0").unwrap();
        assert_eq!((trimap.subject, trimap.ground, trimap.erode), (240, 10, 0));
        for bad in [
            "240,10",
            "256,10,0",
            "240,10,1001",
            "240,10,0,0",
            "",
            "a,b,c",
        ] {
            assert_eq!(Trimap::parse(bad), None, "{bad}");
        }
    }
}
