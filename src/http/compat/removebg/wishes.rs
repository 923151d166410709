//! What a request asks for, in options of ours.

use super::{
    super::NO_URLS,
    fields::{FULL, FULL_PNG},
    refusal::Refusal,
    sent::Sent,
};
use crate::{
    error::Error,
    ops::{
        geometry::Length,
        options::{Place, Rgba, Value},
    },
};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        http::compat::removebg::fields::{FIELDS, SIZES},
        ops::options::Kind,
    };

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
