//! The words by which a run recognises what it has sent, wherever that comes out.

use uuid::Uuid;

/// Words of this run alone, to be found again wherever they come out.
#[derive(Debug)]
pub(super) struct Canaries {
    /// In names, values, queries, headers and paths.
    pub(super) said: String,
    /// In the metadata of pictures.
    pub(super) tagged: String,
    /// In their pixels.
    pub(super) pixels: String,
}

impl Canaries {
    pub(super) fn new() -> Self {
        let word = |kind: char| {
            let random = Uuid::new_v4().simple().to_string();
            format!("zq{kind}{}", &random[..12])
        };
        Self {
            said: word('s'),
            tagged: word('t'),
            pixels: word('p'),
        }
    }
}

/// Whether `bytes` hold the word, in any case, as ASCII or as UTF-16, which EXIF may use.
pub(super) fn holds(bytes: &[u8], word: &str) -> bool {
    let narrow = word.as_bytes();
    let wide: Vec<u8> = word.encode_utf16().flat_map(u16::to_le_bytes).collect();
    [narrow, &wide].into_iter().any(|word| {
        bytes
            .windows(word.len())
            .any(|window| window.eq_ignore_ascii_case(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_any_case_and_as_utf_16() {
        let canaries = Canaries::new();
        assert_ne!(canaries.said, Canaries::new().said, "each run has its own");
        let word = canaries.tagged.as_str();
        let wide: Vec<u8> = word.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(holds(format!("a{}b", word.to_uppercase()).as_bytes(), word));
        assert!(holds(&wide, word));
        assert!(!holds(&wide[..wide.len() - 1], word));
    }
}
