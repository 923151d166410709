//! `Answer`: an outcome, encoded as the client asked for it.

use std::io::{Cursor, Write};

use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::{
    codec::{self, Compression, Encoded, Encoding, Format, Subsampling},
    engine::Subject,
    error::Error,
    frame::{Frame, Layout, Mask, Rect},
    ops::{
        Outcome,
        options::{ColorDetail, Output, OutputFormat, PngEffort},
    },
};

/// The bytes that go back, and what is said of them.
#[derive(Debug)]
pub struct Answer {
    /// The encoded picture, or a ZIP of two.
    pub bytes: Vec<u8>,
    /// Its transparency as a grey PNG, with [`Accept::PngAndMatte`].
    pub matte: Option<Vec<u8>>,
    /// Its media type.
    pub mime: &'static str,
    /// The file name extension for it.
    pub extension: &'static str,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The model that ran, and its licence.
    pub model: Option<(String, String)>,
    /// How sure the matte is, 0 to 1.
    pub confidence: Option<f32>,
    /// Where the subject is in the picture.
    pub subject: Option<Rect>,
    /// Width and height without `max_megapixels`.
    pub full_size: (u32, u32),
    /// What a restoration found and did, as JSON, where that was asked for.
    pub report: Option<String>,
    /// What kind of thing the subject is, where that was asked for.
    pub kind: Option<&'static str>,
}

impl Answer {
    /// Bytes of all that goes back.
    pub fn size(&self) -> u64 {
        let matte = self.matte.as_ref().map_or(0, Vec::len);
        (self.bytes.len() + matte) as u64
    }
}

/// What a client accepts, as far as it matters here: what `format=auto` means for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Accept {
    /// It says nothing of the formats of ours.
    #[default]
    Any,
    /// The one that it likes best.
    Best(Encoded),
    /// PNG where there is transparency, else JPEG, whatever the input was.
    PngOrJpeg,
    /// PNG, and its transparency as a second one.
    PngAndMatte,
}

impl Accept {
    /// Reads the value of a header, where there is one.
    pub fn of(header: Option<&[u8]>) -> Self {
        let text = header.and_then(|value| std::str::from_utf8(value).ok());
        Self::parse(text.unwrap_or_default())
    }

    /// Reads an `Accept` header (RFC 9110, section 12.5.1). Only types that are named count: `*/*`
    /// and `image/*` leave the choice to the service.
    pub fn parse(header: &str) -> Self {
        let mut best: Option<(f32, Encoded)> = None;
        for part in header.split(',') {
            let mut words = part.split(';').map(str::trim);
            let format = match words
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase()
                .as_str()
            {
                "image/png" => Encoded::Png,
                "image/webp" => Encoded::Webp,
                "image/jpeg" | "image/jpg" => Encoded::Jpeg,
                _ => continue,
            };
            let quality = words.find_map(|word| word.strip_prefix("q=")?.parse::<f32>().ok());
            let quality = quality.unwrap_or(1.0);
            // Of equals, the first one named wins.
            if quality > 0.0 && best.is_none_or(|(most, _)| quality > most) {
                best = Some((quality, format));
            }
        }
        best.map_or(Self::Any, |(_, format)| Self::Best(format))
    }
}

/// The ways in which a result may be written: with transparency, and without.
#[derive(Debug)]
pub(super) struct Encodings {
    transparent: Encoding,
    opaque: Encoding,
    /// Colours and transparency in files of their own.
    apart: bool,
    /// Transparency once more, beside the picture.
    beside: bool,
}

impl Encodings {
    /// What the options, the client's wishes and the input's format lead to.
    pub(super) fn choose(output: &Output, accept: Accept, input: Format) -> Self {
        let both = |format| (format, format);
        let (transparent, opaque) = match (output.format, accept) {
            (OutputFormat::Png, _) => both(Encoded::Png),
            (OutputFormat::Webp, _) => both(Encoded::Webp),
            (OutputFormat::Jpeg | OutputFormat::Zip, _) => both(Encoded::Jpeg),
            (OutputFormat::Auto, Accept::Best(format)) => both(format),
            (OutputFormat::Auto, Accept::PngAndMatte) => both(Encoded::Png),
            (OutputFormat::Auto, Accept::PngOrJpeg) => (Encoded::Png, Encoded::Jpeg),
            (OutputFormat::Auto, Accept::Any) => match input {
                Format::Jpeg => (Encoded::Png, Encoded::Jpeg),
                Format::Webp => (Encoded::Png, Encoded::Webp),
                Format::Png | Format::Gif | Format::Bmp | Format::Tiff => both(Encoded::Png),
            },
        };
        Self {
            transparent: encoding(transparent, output),
            opaque: encoding(opaque, output),
            apart: output.format == OutputFormat::Zip,
            beside: accept == Accept::PngAndMatte,
        }
    }

    /// Bytes that encoding a result of so many pixels holds at its peak, beside the result.
    pub(super) fn peak(&self, pixels: u64) -> u64 {
        // The colours are copied out, and so is the alpha channel.
        let apart = if self.apart { pixels * 4 } else { 0 };
        // The alpha channel is copied out and encoded while the picture waits, encoded too.
        let beside = if self.beside { pixels * 4 } else { 0 };
        apart
            + beside
            + self
                .transparent
                .peak(pixels, Layout::Rgba)
                .max(self.opaque.peak(pixels, Layout::Rgb))
    }
}

pub(super) fn encode(
    outcome: Outcome,
    encodings: &Encodings,
    output: &Output,
) -> Result<Answer, Error> {
    let Outcome {
        frame,
        matte,
        model,
        confidence,
        subject,
        full_size,
        report,
        kind,
    } = outcome;
    let (width, height) = (frame.width(), frame.height());
    let matte = match encodings.apart {
        true => matte.or_else(|| Some(transparency(&frame))),
        false => matte,
    };
    let beside = match encodings.beside {
        true => {
            let png = self::encoding(Encoded::Png, output);
            Some(codec::encode(&transparency(&frame).into_frame(), &png)?)
        }
        false => None,
    };
    // An alpha channel that hides nothing only makes the answer larger; beside a matte of its own
    // the picture needs none either.
    let transparent = frame.has_transparency();
    let encoding = if transparent {
        &encodings.transparent
    } else {
        &encodings.opaque
    };
    let keep = transparent && matte.is_none();
    let frame = if keep { frame } else { frame.without_alpha() };
    let mut answer = Answer {
        bytes: codec::encode(&frame, encoding)?,
        matte: beside,
        mime: encoding.format.mime(),
        extension: encoding.format.extension(),
        width,
        height,
        model,
        confidence,
        subject,
        full_size,
        report: report.map(|report| report.json()),
        kind: kind.map(Subject::name),
    };
    if let Some(matte) = matte {
        let alpha = codec::encode(&matte.into_frame(), &self::encoding(Encoded::Png, output))?;
        let name = format!("color.{}", answer.extension);
        answer.bytes = pack(&[(&name, &answer.bytes), ("alpha.png", &alpha)])?;
        (answer.mime, answer.extension) = ("application/zip", "zip");
    }
    Ok(answer)
}

/// The alpha channel; opaque where there is none.
fn transparency(frame: &Frame) -> Mask {
    let opaque = || Mask::new(frame.width(), frame.height(), vec![255; frame.pixels()]);
    frame.alpha().unwrap_or_else(opaque)
}

fn encoding(format: Encoded, output: &Output) -> Encoding {
    Encoding {
        quality: output.quality.0 as u8,
        lossless: output.lossless,
        compression: match output.compression {
            PngEffort::Fast => Compression::Fast,
            PngEffort::Balanced => Compression::Balanced,
            PngEffort::Small => Compression::Small,
        },
        progressive: output.progressive,
        subsampling: match output.subsampling {
            ColorDetail::Auto => None,
            ColorDetail::Half => Some(Subsampling::Half),
            ColorDetail::Full => Some(Subsampling::Full),
        },
        ..Encoding::new(format)
    }
}

/// A ZIP of files that are compressed already. The time of every entry is the format's zero
/// (1980), so that the same pictures give the same bytes.
fn pack(files: &[(&str, &[u8])]) -> Result<Vec<u8>, Error> {
    let size = files
        .iter()
        .map(|(name, bytes)| bytes.len() + 2 * name.len() + 128)
        .sum();
    let zip = ZipWriter::new(Cursor::new(Vec::with_capacity(size)));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default());
    let write = |mut zip: ZipWriter<Cursor<Vec<u8>>>| -> zip::result::ZipResult<_> {
        for (name, bytes) in files {
            zip.start_file(*name, options)?;
            zip.write_all(bytes)?;
        }
        zip.finish()
    };
    // A vector takes all that memory gives; there is no other way to fail.
    write(zip)
        .map(Cursor::into_inner)
        .map_err(|_| Error::Internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_liked_format_of_ours_is_taken() {
        let best = Accept::parse;
        assert_eq!(
            best("image/webp,image/png;q=0.9"),
            Accept::Best(Encoded::Webp)
        );
        assert_eq!(
            best("image/webp;q=0.2, image/jpeg;q=0.8"),
            Accept::Best(Encoded::Jpeg)
        );
        assert_eq!(best("image/avif,image/*,*/*;q=0.8"), Accept::Any);
        assert_eq!(best("image/png;q=0"), Accept::Any);
        assert_eq!(best("nonsense;;;,"), Accept::Any);
    }
}
