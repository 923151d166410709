//! The data of a scan, bit by bit, and the Huffman codes in it.

/// Bits of a code that are looked up at once.
pub const SHORT: u32 = 10;

/// What a few bits begin with.
#[derive(Clone, Copy, Default)]
pub struct Entry {
    /// Whether all of the coefficient is in these bits, its value too.
    pub whole: bool,
    /// Bits of the code, and of the value if that is there; 0: the code is longer.
    pub length: u8,
    /// Zeros before the coefficient.
    pub run: u8,
    symbol: u8,
    /// The coefficient, where it is here.
    pub value: i16,
}

/// A Huffman table (T.81, annex C and F.2.2.3).
#[derive(Clone)]
pub struct Table {
    /// By the next [`SHORT`] bits.
    pub short: Box<[Entry; 1 << SHORT]>,
    /// For each length, the first code beyond it, at 16 bits.
    beyond: [u32; 17],
    /// For each length, what to add to a code to find its symbol.
    offset: [i32; 17],
    symbols: Vec<u8>,
}

impl Table {
    /// A table without codes.
    pub fn empty() -> Self {
        Self {
            short: Box::new([Entry::default(); 1 << SHORT]),
            beyond: [0; 17],
            offset: [0; 17],
            symbols: Vec::new(),
        }
    }

    /// The table of so many codes of each length; `None` where there are more than can be told
    /// apart.
    ///
    /// # Panics
    /// If there are fewer symbols than codes.
    pub fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut table = Self {
            symbols: symbols.to_vec(),
            ..Self::empty()
        };
        let (mut code, mut at) = (0u32, 0usize);
        for length in 1..=16u32 {
            table.offset[length as usize] = at as i32 - code as i32;
            for _ in 0..counts[length as usize - 1] {
                // More codes than so many bits can tell apart.
                if code >= 1 << length {
                    return None;
                }
                if length <= SHORT {
                    table.shorten(code, length, symbols[at]);
                }
                (code, at) = (code + 1, at + 1);
            }
            table.beyond[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Some(table)
    }

    fn shorten(&mut self, code: u32, length: u32, symbol: u8) {
        let free = SHORT - length;
        let size = u32::from(symbol & 15);
        for tail in 0..1u32 << free {
            let mut entry = Entry {
                length: length as u8,
                symbol,
                ..Entry::default()
            };
            if size > 0 && size <= free {
                let raw = (tail >> (free - size)) as i32;
                entry.whole = true;
                entry.length += size as u8;
                entry.run = symbol >> 4;
                entry.value = extended(raw, size) as i16;
            }
            self.short[((code << free) | tail) as usize] = entry;
        }
    }

    /// The next symbol; at least 16 bits are there, or zeros behind the end.
    #[inline]
    pub fn symbol(&self, bits: &mut Bits) -> Option<u8> {
        let entry = self.short[bits.peek(SHORT)];
        if entry.length > 0 {
            let size = if entry.whole { entry.symbol & 15 } else { 0 };
            bits.skip(u32::from(entry.length - size));
            return Some(entry.symbol);
        }
        let code = bits.peek(16) as u32;
        let length = (SHORT as usize + 1..=16).find(|length| code < self.beyond[*length])?;
        bits.skip(length as u32);
        let at = (code >> (16 - length)) as i32 + self.offset[length];
        self.symbols.get(usize::try_from(at).ok()?).copied()
    }
}

/// The value that so many bits mean (T.81, figure F.12).
#[inline]
fn extended(raw: i32, size: u32) -> i32 {
    if size > 0 && raw < 1 << (size - 1) {
        raw - (1 << size) + 1
    } else {
        raw
    }
}

/// Bits of a scan, the stuffed bytes taken out.
pub struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits, the first one highest.
    buffer: u64,
    /// How many of them are there.
    count: u32,
    /// Zeros that were put behind the end of the data.
    beyond: u32,
    /// Whether some of those were taken for data.
    pub over: bool,
}

impl<'a> Bits<'a> {
    /// The bits of a scan that begins here.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            buffer: 0,
            count: 0,
            beyond: 0,
            over: false,
        }
    }

    /// Makes sure that a code and its value are there.
    #[inline]
    pub fn fill(&mut self) {
        if self.count >= 32 {
            return;
        }
        if let Some(next) = self
            .bytes
            .get(self.at..)
            .and_then(|rest| rest.first_chunk::<8>())
        {
            let next = u64::from_be_bytes(*next);
            // No byte of it is 0xff: then `!next` has no zero byte.
            let inverted = !next;
            let zero =
                inverted.wrapping_sub(0x0101_0101_0101_0101) & !inverted & 0x8080_8080_8080_8080;
            if zero == 0 {
                // Bits beyond the last whole byte are the right ones already, and stay so when
                // they are put there again.
                self.buffer |= next >> self.count;
                let whole = (64 - self.count) / 8;
                self.at += whole as usize;
                self.count += 8 * whole;
                return;
            }
        }
        self.fill_slowly();
    }

    #[cold]
    fn fill_slowly(&mut self) {
        while self.count <= 56 {
            let byte = match self.bytes.get(self.at..) {
                Some([0xff, 0, ..]) => {
                    self.at += 2;
                    0xff
                }
                Some([byte, ..]) if *byte != 0xff => {
                    self.at += 1;
                    *byte
                }
                // A marker, or the end of the file.
                _ => {
                    self.beyond += 8;
                    0
                }
            };
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// The next `n` bits, 1 to 32.
    #[inline]
    pub fn peek(&self, n: u32) -> usize {
        (self.buffer >> (64 - n)) as usize
    }

    /// Goes on by `n` bits.
    #[inline]
    pub fn skip(&mut self, n: u32) {
        self.buffer <<= n;
        self.count -= n;
        self.over |= self.count < self.beyond;
    }

    /// A value of so many bits.
    #[inline]
    pub fn value(&mut self, size: u32) -> i32 {
        if size == 0 {
            return 0;
        }
        let raw = self.peek(size) as i32;
        self.skip(size);
        extended(raw, size)
    }

    /// Goes over a restart marker (T.81, E.2.4).
    pub fn restart(&mut self) -> Option<()> {
        self.drained()?;
        let Some([0xff, 0xd0..=0xd7, ..]) = self.bytes.get(self.at..) else {
            return None;
        };
        *self = Self {
            at: self.at + 2,
            ..Self::new(self.bytes)
        };
        Some(())
    }

    /// Asserts that the scan ends here, and the picture with it.
    pub fn end(&mut self) -> Option<()> {
        self.drained()?;
        matches!(self.bytes.get(self.at..), Some([0xff, 0xd9, ..])).then_some(())
    }

    /// Asserts that not more than the padding of a byte is left before the next marker.
    fn drained(&mut self) -> Option<()> {
        while self.beyond == 0 {
            if self.count >= 8 {
                return None;
            }
            self.fill_slowly();
        }
        (!self.over && self.count - self.beyond < 8).then_some(())
    }
}
