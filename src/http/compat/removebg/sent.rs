//! The fields of a request, each read as remove.bg reads it.

use super::{
    super::truth,
    fields::{FIELDS, FULL, MAX_MARGIN, SIZES},
    refusal::Refusal,
};
use crate::{
    error::Error,
    ops::{
        geometry::{Length, Margin},
        options::{Kind, Margins, Scale, Value},
    },
};

/// The fields of a request.
pub struct Sent<'a>(pub &'a [(String, String)]);

impl<'a> Sent<'a> {
    /// A field by name; the last one of a name counts, empty is absent.
    pub fn find(&self, name: &str) -> Option<&'a str> {
        let mut found = self.0.iter().rev().filter(|(sent, _)| sent == name);
        found
            .next()
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// A field that cannot be used.
    pub fn wrong(&self, name: &'static str) -> Refusal {
        let kind = FIELDS
            .iter()
            .find(|spec| spec.name == name)
            .map(|spec| spec.kind);
        Refusal::field(name, kind.map(Kind::expects).unwrap_or_default())
    }

    /// One of the words of a field, as it is in its list.
    pub fn choice(&self, name: &'static str) -> Result<Option<&'static str>, Refusal> {
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

    /// A truth value; false where it is absent.
    pub fn flag(&self, name: &'static str) -> Result<bool, Refusal> {
        let read = |text| truth(text).ok_or_else(|| self.wrong(name));
        self.find(name).map_or(Ok(false), read)
    }

    /// The text of a field that a value of ours can be read from.
    pub fn checked<T: Value>(&self, name: &'static str) -> Result<Option<&'a str>, Refusal> {
        match self.find(name) {
            Some(text) if T::parse(text).is_none() => Err(self.wrong(name)),
            text => Ok(text),
        }
    }

    /// Megapixels of the result at most.
    pub fn size(&self) -> Result<f32, Refusal> {
        let name = self.choice("size")?.unwrap_or("preview");
        let size = SIZES.iter().find(|(size, _)| *size == name);
        Ok(size.map_or(FULL, |(_, megapixels)| *megapixels))
    }

    /// The text of `crop_margin`.
    pub fn margin(&self) -> Result<Option<&'a str>, Refusal> {
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

    /// The text of `scale`.
    pub fn scale(&self) -> Result<Option<&'a str>, Refusal> {
        match self.find("scale") {
            Some("original") => Ok(None),
            _ => self.checked::<Scale>("scale"),
        }
    }

    /// Whether a shadow is asked for.
    pub fn shadow(&self) -> Result<bool, Refusal> {
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
    pub fn region(&self) -> Result<Option<([Length; 4], String)>, Refusal> {
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
