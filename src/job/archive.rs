//! A ZIP that is written as it grows (PKWARE APPNOTE 6.3.10), of entries that are whole when they
//! are added.
//!
//! Size and checksum of each are known then and stand before it, so that a reader can unpack the
//! archive while it comes; the usual way to stream one puts them behind, which many readers refuse
//! for entries that are not compressed.

/// The version that a reader needs: 1.0, or 4.5 where a place is beyond 4 GiB.
const VERSION: u16 = 10;
const VERSION_64: u16 = 45;
/// What stands where a place needs eight bytes, which are then elsewhere.
const ELSEWHERE: u32 = u32::MAX;
/// 1980-01-01, the format's zero, so that the same pictures give the same bytes.
const DATE: u16 = 1 << 5 | 1;

/// The list of what was added so far.
#[derive(Debug, Default)]
pub struct Archive {
    list: Vec<u8>,
    entries: u16,
    at: u64,
}

impl Archive {
    /// Adds an entry. The bytes that are returned come before those of `content`.
    ///
    /// # Panics
    /// If `content` has 4 GiB or more.
    pub fn entry(&mut self, name: &str, content: &[u8]) -> Vec<u8> {
        let size = u32::try_from(content.len()).expect("no picture is that large");
        // What both heads of an entry say alike.
        let mut facts = Vec::with_capacity(24);
        for word in [0, 0, 0, DATE] {
            put(&mut facts, word);
        }
        for word in [crc32fast::hash(content), size, size] {
            put32(&mut facts, word);
        }
        put(&mut facts, name.len() as u16);

        let far = self.at >= ELSEWHERE.into();
        self.list.extend_from_slice(b"PK\x01\x02");
        put(&mut self.list, VERSION_64);
        put(&mut self.list, if far { VERSION_64 } else { VERSION });
        self.list.extend_from_slice(&facts);
        put(&mut self.list, if far { 12 } else { 0 });
        // No comment, the first disk, no attributes.
        self.list.extend_from_slice(&[0; 10]);
        put32(&mut self.list, if far { ELSEWHERE } else { self.at as u32 });
        self.list.extend_from_slice(name.as_bytes());
        if far {
            put(&mut self.list, 1);
            put(&mut self.list, 8);
            self.list.extend_from_slice(&self.at.to_le_bytes());
        }

        let mut head = b"PK\x03\x04".to_vec();
        put(&mut head, VERSION);
        head.extend_from_slice(&facts);
        put(&mut head, 0);
        head.extend_from_slice(name.as_bytes());
        self.at += (head.len() + content.len()) as u64;
        self.entries += 1;
        head
    }

    /// The bytes that end the archive.
    pub fn finish(self) -> Vec<u8> {
        let (start, length) = (self.at, self.list.len() as u32);
        let mut end = self.list;
        let far = start >= ELSEWHERE.into();
        if far {
            let record = start + u64::from(length);
            end.extend_from_slice(b"PK\x06\x06");
            end.extend_from_slice(&44u64.to_le_bytes());
            put(&mut end, VERSION_64);
            put(&mut end, VERSION_64);
            put32(&mut end, 0);
            put32(&mut end, 0);
            let entries = u64::from(self.entries);
            for word in [entries, entries, length.into(), start] {
                end.extend_from_slice(&word.to_le_bytes());
            }
            end.extend_from_slice(b"PK\x06\x07");
            put32(&mut end, 0);
            end.extend_from_slice(&record.to_le_bytes());
            put32(&mut end, 1);
        }
        end.extend_from_slice(b"PK\x05\x06");
        for word in [0, 0, self.entries, self.entries] {
            put(&mut end, word);
        }
        put32(&mut end, length);
        put32(&mut end, if far { ELSEWHERE } else { start as u32 });
        put(&mut end, 0);
        end
    }
}

fn put(bytes: &mut Vec<u8>, word: u16) {
    bytes.extend_from_slice(&word.to_le_bytes());
}

fn put32(bytes: &mut Vec<u8>, word: u32) {
    bytes.extend_from_slice(&word.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read, Seek, SeekFrom};

    use super::*;

    /// So many bytes that nobody wrote, and others after them.
    struct Sparse {
        hole: u64,
        tail: Cursor<Vec<u8>>,
        at: u64,
    }

    impl Read for Sparse {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let n = if self.at < self.hole {
                let n = buffer.len().min((self.hole - self.at) as usize);
                buffer[..n].fill(0);
                n
            } else {
                self.tail.set_position(self.at - self.hole);
                self.tail.read(buffer)?
            };
            self.at += n as u64;
            Ok(n)
        }
    }

    impl Seek for Sparse {
        fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
            let end = self.hole + self.tail.get_ref().len() as u64;
            let at = match to {
                SeekFrom::Start(at) => Some(at),
                SeekFrom::Current(by) => self.at.checked_add_signed(by),
                SeekFrom::End(by) => end.checked_add_signed(by),
            };
            self.at = at.ok_or(std::io::ErrorKind::InvalidInput)?;
            Ok(self.at)
        }
    }

    #[test]
    fn what_is_written_is_read_again_on_both_sides_of_four_gibibytes() {
        for hole in [0, 5 << 30] {
            let mut archive = Archive {
                at: hole,
                ..Archive::default()
            };
            let mut tail = Vec::new();
            let contents = [b"first".as_slice(), b"", &[7; 70_000]];
            for (i, content) in contents.iter().enumerate() {
                tail.extend(archive.entry(&format!("00{i}.png"), content));
                tail.extend_from_slice(content);
            }
            tail.extend(archive.finish());
            let tail = Cursor::new(tail);
            let mut read = zip::ZipArchive::new(Sparse { hole, tail, at: 0 }).unwrap();
            assert_eq!(read.len(), 3);
            for (i, content) in contents.iter().enumerate() {
                let mut file = read.by_name(&format!("00{i}.png")).unwrap();
                let mut found = Vec::new();
                // Its checksum is looked at here.
                file.read_to_end(&mut found).unwrap();
                assert!(found == *content, "{i} behind {hole}");
            }
        }
    }
}
