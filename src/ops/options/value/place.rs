//! Values that say where something is or how far it reaches: lengths, margins, regions, places.

use super::{Kind, Value};
use crate::ops::geometry::{Length, Margin, Position};

/// `12`, `12px` or `12%`, not below 0.
fn length(text: &str) -> Option<Length> {
    let positive = |number: &str, most: f32| {
        let number: f32 = number.parse().ok()?;
        (0.0..=most).contains(&number).then_some(number)
    };
    match text.strip_suffix('%') {
        Some(percent) => positive(percent, 100.0).map(Length::Percent),
        None => positive(text.strip_suffix("px").unwrap_or(text), 65_535.0).map(Length::Px),
    }
}

fn lengths(text: &str) -> Option<Vec<Length>> {
    let words = text.split([',', ' ']).filter(|word| !word.is_empty());
    words.map(length).collect()
}

/// Space around a subject: one length for all sides, two for vertical and horizontal, or four
/// (top, right, bottom, left). Shares are of the subject's own sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margins(pub Margin);

impl Value for Margins {
    const KIND: Kind = Kind::Text(
        "one, two or four lengths from 0, each in pixels or percent",
        "10%",
    );

    fn parse(text: &str) -> Option<Self> {
        let [top, right, bottom, left] = match lengths(text)?[..] {
            [all] => [all; 4],
            [vertical, horizontal] => [vertical, horizontal, vertical, horizontal],
            [top, right, bottom, left] => [top, right, bottom, left],
            _ => return None,
        };
        Some(Self(Margin {
            top,
            right,
            bottom,
            left,
        }))
    }
}

/// A rectangle of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Region {
    /// Left, top, width, height.
    Sized([Length; 4]),
    /// Left, top, right, bottom.
    Corners([Length; 4]),
}

impl Value for Region {
    const KIND: Kind = Kind::Text(
        "`x,y,width,height` or `left,top..right,bottom`, each in pixels or percent of the side",
        "10%,0,80%,100%",
    );

    fn parse(text: &str) -> Option<Self> {
        let Some((first, second)) = text.split_once("..") else {
            return lengths(text)?.try_into().ok().map(Self::Sized);
        };
        match (&lengths(first)?[..], &lengths(second)?[..]) {
            (&[left, top], &[right, bottom]) => Some(Self::Corners([left, top, right, bottom])),
            _ => None,
        }
    }
}

/// A length in pixels, or in percent of the shorter side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent(pub Length);

impl Value for Extent {
    const KIND: Kind = Kind::Text(
        "a length from 0, in pixels or percent of the shorter side",
        "50%",
    );

    fn parse(text: &str) -> Option<Self> {
        length(text).map(Self)
    }
}

/// The share of the picture that the subject fills, 0.1 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale(pub f32);

impl Value for Scale {
    const KIND: Kind = Kind::Text("`original`, or a percentage from 10% to 100%", "80%");

    fn parse(text: &str) -> Option<Self> {
        let percent: f32 = text.strip_suffix('%')?.parse().ok()?;
        (10.0..=100.0)
            .contains(&percent)
            .then_some(Self(percent / 100.0))
    }
}

/// Where the subject is put.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place(pub Position);

impl Value for Place {
    const KIND: Kind = Kind::Text(
        "`original`, `center`, or one or two percentages such as `50% 100%`",
        "center",
    );

    fn parse(text: &str) -> Option<Self> {
        let share = |length: Length| match length {
            Length::Percent(percent) => Some(percent / 100.0),
            Length::Px(_) => None,
        };
        let position = match text {
            "original" => Position::Original,
            "center" => Position::At { x: 0.5, y: 0.5 },
            _ => match lengths(text)?[..] {
                [both] => Position::At {
                    x: share(both)?,
                    y: share(both)?,
                },
                [x, y] => Position::At {
                    x: share(x)?,
                    y: share(y)?,
                },
                _ => return None,
            },
        };
        Some(Self(position))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_come_in_ones_twos_and_fours() {
        let Margins(margin) = Margins::parse("10 5%").unwrap();
        assert_eq!(
            (margin.top, margin.left),
            (Length::Px(10.0), Length::Percent(5.0))
        );
        assert_eq!(Margins::parse("1,2,3"), None);
        assert!(Region::parse("0,0,100%,50%").is_some() && Region::parse("0,0,-1,5").is_none());
        let [left, top, right, bottom] = [10.0, 0.0, 90.0, 50.0].map(Length::Percent);
        assert_eq!(
            Region::parse("10%,0%..90%,50%"),
            Some(Region::Corners([left, top, right, bottom]))
        );
        assert!(Region::parse("1,2..3").is_none() && Region::parse("1..2..3,4").is_none());
        assert_eq!(
            Place::parse("25% 100%"),
            Some(Place(Position::At { x: 0.25, y: 1.0 }))
        );
        assert_eq!(Place::parse("25"), None, "a place is a share, not pixels");
    }
}
