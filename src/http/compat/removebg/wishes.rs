//! The fields of remove.bg, in options of ours.

use super::{
    super::{NO_URLS, truth},
    refusal::Refusal,
};
use crate::{
    error::Error,
    ops::{
        geometry::{Length, Margin},
        options::{Kind, Margins, Place, Rgba, Scale, Spec, Value},
    },
};

const fn field(name: &'static str, default: &'static str, kind: Kind, doc: &'static str) -> Spec {
    Spec {
        name,
        default,
        kind,
        doc,
    }
}

/// Sizes by name, in megapixels; the largest, of a PNG.
const SIZES: &[(&str, f32)] = &[
    ("preview", 0.25),
    ("small", 0.25),
    ("regular", 0.25),
    ("medium", 1.5),
    ("hd", 4.0),
    ("full", FULL),
    ("4k", FULL),
    ("auto", FULL),
    ("50MP", 50.0),
];
const FULL: f32 = 25.0;
/// Megapixels of a PNG at most.
const FULL_PNG: f32 = 10.0;
/// What a margin may be: percent of the subject, and pixels.
const MAX_MARGIN: (f32, f32) = (50.0, 500.0);

/// The text fields.
pub const FIELDS: &[Spec] = &[
    field(
        "image_file_b64",
        "",
        Kind::Text("a picture in base64", "/9j/4AAQSkZJRg=="),
        "The picture, where there is no `image_file`.",
    ),
    field(
        "image_url",
        "",
        Kind::Text("nothing: URL input is disabled on this server", ""),
        "Refused.",
    ),
    field(
        "size",
        "preview",
        Kind::Choice(&[
            "preview", "small", "regular", "medium", "hd", "full", "4k", "auto", "50MP",
        ]),
        "The result has at most 0.25 (preview, small, regular), 1.5 (medium), 4 (hd), 25 (full, 4k, \
         auto) or 50 (50MP) megapixels, a PNG at most 10.",
    ),
    field(
        "type",
        "auto",
        Kind::Choice(&[
            "auto",
            "person",
            "product",
            "car",
            "animal",
            "graphic",
            "transportation",
            "other",
        ]),
        "Type of the foreground; one model serves them all.",
    ),
    field(
        "type_level",
        "1",
        Kind::Choice(&["none", "1", "2", "latest"]),
        "`none`: no X-Type in the answer.",
    ),
    field(
        "format",
        "auto",
        Kind::Choice(&["auto", "png", "jpg", "zip", "webp"]),
        "Format of the answer; auto: PNG where there is transparency, else JPEG.",
    ),
    field(
        "roi",
        "0% 0% 100% 100%",
        Kind::Text(
            "`x1 y1 x2 y2`, each in pixels or percent",
            "10% 0% 90% 100%",
        ),
        "Region of interest; everything outside it counts as background.",
    ),
    field(
        "crop",
        "false",
        Kind::Flag,
        "Cut the result down to the subject.",
    ),
    field(
        "crop_margin",
        "0",
        Kind::Text(
            "one, two or four lengths of at most 50% or 500px each",
            "10%",
        ),
        "Space left around the subject when cropping.",
    ),
    field(
        "scale",
        "original",
        Kind::Text("`original`, or a percentage from 10% to 100%", "80%"),
        "Share of the picture that the subject is scaled to; it is then centred.",
    ),
    field(
        "position",
        "original",
        Kind::Text(
            "`original`, `center`, or one or two percentages such as `50% 100%`",
            "center",
        ),
        "Where the subject is put.",
    ),
    field(
        "channels",
        "rgba",
        Kind::Choice(&["rgba", "alpha"]),
        "`alpha`: the mask alone.",
    ),
    field(
        "add_shadow",
        "false",
        Kind::Flag,
        "A shadow under the subject.",
    ),
    field(
        "shadow_type",
        "",
        Kind::Choice(&["none", "auto", "drop", "car", "3D"]),
        "Kind of shadow; one kind serves them all.",
    ),
    field(
        "shadow_opacity",
        "",
        Kind::Integer(0, 100),
        "0: no shadow; another value changes nothing.",
    ),
    field(
        "semitransparency",
        "true",
        Kind::Flag,
        "Accepted; edges are soft in either case.",
    ),
    field(
        "bg_color",
        "",
        Kind::Text(
            "a colour: 3, 4, 6 or 8 hexadecimal digits, or a CSS name",
            "81d4fa",
        ),
        "Colour that the cutout is put on.",
    ),
    field(
        "bg_image_url",
        "",
        Kind::Text("nothing: URL input is disabled on this server", ""),
        "Refused.",
    ),
];

/// Which pictures came with a request.
#[derive(Debug)]
pub struct Sources {
    /// As a file.
    pub picture: bool,
    /// In base64.
    pub encoded: bool,
    /// A background.
    pub ground: bool,
}

/// What is asked for.
#[derive(Debug)]
pub struct Wishes {
    pairs: Vec<(&'static str, String)>,
    /// Whether X-Type is part of the answer.
    pub says_type: bool,
    /// The corners of the region of interest.
    pub region: Option<[Length; 4]>,
    /// The most megapixels that any size would give.
    max_megapixels: f32,
}

impl Wishes {
    /// Reads the fields; the last one of a name counts, empty is absent, and names that remove.bg
    /// does not have are passed over, as it does.
    ///
    /// # Errors
    /// The first thing that is wrong: sources, backgrounds, then the fields in their order.
    pub fn read(options: &[(String, String)], sources: &Sources) -> Result<Self, Refusal> {
        let sent = Sent(options);
        check_sources(&sent, sources)?;
        let color = check_ground(&sent, sources)?;
        let size = sent.size()?;
        sent.choice("type")?;
        let level = sent.choice("type_level")?;
        let format = sent.choice("format")?.unwrap_or("auto");
        let region = sent.region()?;
        let crop = sent.flag("crop")?;
        let margin = sent.margin()?;
        let scale = sent.scale()?;
        let position = sent.checked::<Place>("position")?;
        let alpha_only = sent.choice("channels")? == Some("alpha");
        let shadow = sent.shadow()?;
        sent.flag("semitransparency")?;

        let opaque = sources.ground || color.is_some_and(|Rgba([.., alpha])| alpha == 255);
        let format = match format {
            "auto" if alpha_only => "png",
            "jpg" => "jpeg",
            other => other,
        };
        let is_png = format == "png" || format == "auto" && !opaque;
        let most = |size: f32| if is_png { size.min(FULL_PNG) } else { size };
        let mut pairs = vec![
            ("on_empty", "error".to_owned()),
            ("format", format.to_owned()),
            ("max_megapixels", most(size).to_string()),
        ];
        if crop {
            pairs.push(("crop", "true".to_owned()));
            pairs.extend(margin.map(|margin| ("crop_margin", margin.to_owned())));
        }
        pairs.extend(scale.map(|scale| ("scale", scale.to_owned())));
        pairs.extend(position.map(|position| ("position", position.to_owned())));
        if let Some((_, text)) = &region {
            pairs.push(("roi", text.clone()));
        }
        if alpha_only {
            pairs.push(("output", "mask".to_owned()));
        }
        if shadow {
            pairs.push(("shadow", "drop".to_owned()));
        }
        if let Some(Rgba([r, g, b, a])) = color {
            pairs.push(("background", format!("#{r:02x}{g:02x}{b:02x}{a:02x}")));
        }
        Ok(Self {
            pairs,
            says_type: level != Some("none"),
            region: region.map(|(corners, _)| corners),
            max_megapixels: most(size.max(FULL)),
        })
    }

    /// The options of ours.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
    }

    /// The size of the result at the largest `size`.
    pub fn full_size(&self, (width, height): (u32, u32)) -> (u32, u32) {
        let pixels = f64::from(width) * f64::from(height);
        let shrink = (f64::from(self.max_megapixels) * 1e6 / pixels)
            .sqrt()
            .min(1.0);
        let side = |side: u32| ((f64::from(side) * shrink) as u32).max(1);
        (side(width), side(height))
    }
}

fn check_sources(sent: &Sent<'_>, sources: &Sources) -> Result<(), Refusal> {
    let url = sent.find("image_url").is_some();
    match usize::from(sources.picture) + usize::from(sources.encoded) + usize::from(url) {
        0 => Err(Refusal::missing_source()),
        1 if url => Err(no_url("image_url", "invalid_image_url")),
        1 => Ok(()),
        _ => Err(Refusal::new(
            Error::MalformedRequest("More than one picture."),
            "multiple_sources",
            "Multiple image sources given: Please provide either the image_url, image_file or \
             image_file_b64 parameter.",
        )),
    }
}

fn check_ground(sent: &Sent<'_>, sources: &Sources) -> Result<Option<Rgba>, Refusal> {
    let url = sent.find("bg_image_url").is_some();
    let color = sent.find("bg_color");
    if usize::from(sources.ground) + usize::from(color.is_some()) + usize::from(url) > 1 {
        return Err(Refusal::new(
            Error::MalformedRequest("More than one background."),
            "multiple_bg_sources",
            "Multiple background sources given: Please provide either the bg_color, the \
             bg_image_url or the bg_image_file parameter.",
        ));
    }
    if url {
        return Err(no_url("bg_image_url", "invalid_bg_image_url"));
    }
    let read = |text| Rgba::parse(text).ok_or_else(|| sent.wrong("bg_color"));
    color.map(read).transpose()
}

fn no_url(name: &'static str, code: &'static str) -> Refusal {
    let title = format!("Invalid {name}: Please provide a valid URL.");
    Refusal::new(Error::bad_value(name, NO_URLS), code, title).detail(NO_URLS)
}

/// The fields of a request.
struct Sent<'a>(&'a [(String, String)]);

impl<'a> Sent<'a> {
    fn find(&self, name: &str) -> Option<&'a str> {
        let mut found = self.0.iter().rev().filter(|(sent, _)| sent == name);
        found
            .next()
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }

    fn wrong(&self, name: &'static str) -> Refusal {
        let kind = FIELDS
            .iter()
            .find(|spec| spec.name == name)
            .map(|spec| spec.kind);
        Refusal::field(name, kind.map(Kind::expects).unwrap_or_default())
    }

    /// One of the words of a field, as it is in its list.
    fn choice(&self, name: &'static str) -> Result<Option<&'static str>, Refusal> {
        let Some(text) = self.find(name) else {
            return Ok(None);
        };
        let spec = FIELDS.iter().find(|spec| spec.name == name);
        let words = match spec.map(|spec| spec.kind) {
            Some(Kind::Choice(words)) => words,
            _ => &[],
        };
        let word = words.iter().find(|word| word.eq_ignore_ascii_case(text));
        word.map(|word| Some(*word)).ok_or_else(|| self.wrong(name))
    }

    fn flag(&self, name: &'static str) -> Result<bool, Refusal> {
        let read = |text| truth(text).ok_or_else(|| self.wrong(name));
        self.find(name).map_or(Ok(false), read)
    }

    /// The text of a field that a value of ours can be read from.
    fn checked<T: Value>(&self, name: &'static str) -> Result<Option<&'a str>, Refusal> {
        match self.find(name) {
            Some(text) if T::parse(text).is_none() => Err(self.wrong(name)),
            text => Ok(text),
        }
    }

    fn size(&self) -> Result<f32, Refusal> {
        let name = self.choice("size")?.unwrap_or("preview");
        let size = SIZES.iter().find(|(size, _)| *size == name);
        Ok(size.map_or(FULL, |(_, megapixels)| *megapixels))
    }

    fn margin(&self) -> Result<Option<&'a str>, Refusal> {
        let text = self.checked::<Margins>("crop_margin")?;
        let within = |length: Length| match length {
            Length::Percent(share) => share <= MAX_MARGIN.0,
            Length::Px(pixels) => pixels <= MAX_MARGIN.1,
        };
        match text.and_then(Margins::parse) {
            Some(Margins(Margin {
                top,
                right,
                bottom,
                left,
            })) if ![top, right, bottom, left].into_iter().all(within) => {
                Err(self.wrong("crop_margin"))
            }
            _ => Ok(text),
        }
    }

    fn scale(&self) -> Result<Option<&'a str>, Refusal> {
        match self.find("scale") {
            Some("original") => Ok(None),
            _ => self.checked::<Scale>("scale"),
        }
    }

    fn shadow(&self) -> Result<bool, Refusal> {
        let added = self.flag("add_shadow")?;
        let kind = self.choice("shadow_type")?;
        let opacity = match self.find("shadow_opacity").map(str::parse) {
            None => 100,
            Some(Ok(opacity @ 0..=100)) => opacity,
            Some(_) => return Err(self.wrong("shadow_opacity")),
        };
        Ok(opacity > 0 && kind.map_or(added, |kind| kind != "none"))
    }

    /// The corners of a region, and the option of ours that says the same.
    fn region(&self) -> Result<Option<([Length; 4], String)>, Refusal> {
        let Some(text) = self.find("roi") else {
            return Ok(None);
        };
        let wrong = || self.wrong("roi");
        let corners: Option<Vec<_>> = text.split_whitespace().map(corner).collect();
        let corners: [Length; 4] = corners.and_then(|c| c.try_into().ok()).ok_or_else(wrong)?;
        let error = || Error::bad_value("roi", "a region within the picture");
        for corner in corners {
            if let Length::Percent(v) | Length::Px(v) = corner
                && (v < 0.0 || matches!(corner, Length::Percent(v) if v > 100.0))
            {
                return Err(Refusal::roi_exceeds_bounds(error()));
            }
        }
        let [left, top, right, bottom] = corners;
        let empty = |from: Length, to: Length| match (from, to) {
            (Length::Px(from), Length::Px(to)) | (Length::Percent(from), Length::Percent(to)) => {
                from >= to
            }
            // Only the picture's size tells.
            _ => false,
        };
        if empty(left, right) || empty(top, bottom) {
            return Err(Refusal::roi_region_empty(error()));
        }
        let text = |length: Length| match length {
            Length::Px(v) => format!("{v}px"),
            Length::Percent(v) => format!("{v}%"),
        };
        let [x1, y1, x2, y2] = corners.map(text);
        Ok(Some((corners, format!("{x1},{y1}..{x2},{y2}"))))
    }
}

/// One coordinate of a corner: a number, of pixels or percent. Numbers that are no coordinate of
/// any picture are read all the same, as they are wrong in another way.
fn corner(text: &str) -> Option<Length> {
    let number = |text: &str| {
        let plain = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
        let number: f32 = text.parse().ok()?;
        (text.chars().all(plain) && number.abs() < 65_536.0).then_some(number)
    };
    match text.strip_suffix('%') {
        Some(percent) => number(percent).map(Length::Percent),
        None => number(text.strip_suffix("px").unwrap_or(text)).map(Length::Px),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Sources = Sources {
        picture: true,
        encoded: false,
        ground: false,
    };

    fn wishes(fields: &[(&str, &str)]) -> Result<Wishes, Refusal> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Wishes::read(&fields.iter().map(owned).collect::<Vec<_>>(), &ONE)
    }

    fn pair(fields: &[(&str, &str)], name: &str) -> Option<String> {
        let wishes = wishes(fields).unwrap();
        let mut found = wishes.pairs().filter(|(own, _)| *own == name);
        found.next().map(|(_, value)| value.to_owned())
    }

    #[test]
    fn every_word_of_a_size_has_its_megapixels() {
        let spec = FIELDS.iter().find(|spec| spec.name == "size").unwrap();
        let Kind::Choice(words) = spec.kind else {
            panic!()
        };
        assert_eq!(
            words,
            SIZES.iter().map(|(size, _)| *size).collect::<Vec<_>>()
        );
        let megapixels = |fields: &[(&str, &str)]| pair(fields, "max_megapixels").unwrap();
        assert_eq!(megapixels(&[]), "0.25");
        assert_eq!(megapixels(&[("size", "full")]), "10", "a PNG");
        assert_eq!(megapixels(&[("size", "full"), ("format", "zip")]), "25");
        assert_eq!(megapixels(&[("size", "full"), ("bg_color", "fff")]), "25");
        assert_eq!(megapixels(&[("size", "50mp"), ("format", "webp")]), "50");
        let full = wishes(&[("format", "jpg")])
            .unwrap()
            .full_size((10_000, 5000));
        assert_eq!(full, (7071, 3535));
        assert_eq!(wishes(&[]).unwrap().full_size((300, 200)), (300, 200));
    }

    #[test]
    fn empty_is_absent_and_the_last_one_counts() {
        assert_eq!(pair(&[("scale", "")], "scale"), None);
        assert_eq!(pair(&[("scale", "original")], "scale"), None);
        assert_eq!(
            pair(&[("scale", "50%"), ("scale", "80%")], "scale").unwrap(),
            "80%"
        );
        assert_eq!(
            pair(&[("roi", "1 2px 50% 4")], "roi").unwrap(),
            "1px,2px..50%,4px"
        );
        assert_eq!(
            pair(&[("bg_color", "81d4fa77")], "background").unwrap(),
            "#81d4fa77"
        );
        assert_eq!(
            pair(&[("add_shadow", "true"), ("shadow_type", "none")], "shadow"),
            None
        );
        assert_eq!(pair(&[("shadow_type", "3d")], "shadow").unwrap(), "drop");
    }
}
