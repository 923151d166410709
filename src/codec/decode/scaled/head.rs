//! What stands before the data: tables, components, the scan.

use super::bits::Table;

/// One colour component.
pub struct Component {
    id: u8,
    /// Blocks of a unit, across.
    pub h: usize,
    /// Blocks of a unit, down.
    pub v: usize,
    quantizer: usize,
    /// The quantizer's steps, by zigzag place.
    pub steps: [f32; 64],
    /// Codes of means.
    pub dc: Table,
    /// Codes of the other frequencies.
    pub ac: Table,
}

/// What stands before the scan.
pub struct Head {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Luma, or luma and both chromas.
    pub components: Vec<Component>,
    /// Units between two restarts; 0: none.
    pub restart: usize,
    /// Where the scan's data begins.
    pub scan: usize,
}

impl Head {
    /// Reads up to the first scan; `None` where it is not one that is read here.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&[0xff, 0xd8])?;
        let mut quantizers: [Option<[f32; 64]>; 4] = [None; 4];
        let mut tables: [[Option<Table>; 4]; 2] = Default::default();
        let mut restart = 0;
        let mut frame = None;
        loop {
            let (&[0xff, marker], tail) = rest.split_first_chunk()? else {
                return None;
            };
            let length = usize::from(u16::from_be_bytes(*tail.first_chunk()?));
            let segment = tail.get(2..length)?;
            rest = tail.get(length..)?;
            match marker {
                0xdb => quantizing(segment, &mut quantizers)?,
                0xc4 => coding(segment, &mut tables)?,
                0xdd => restart = usize::from(u16::from_be_bytes(*segment.first_chunk()?)),
                0xc0 | 0xc1 if frame.is_none() => frame = Some(components(segment)?),
                0xda => {
                    let (width, height, mut components) = frame?;
                    scanned(segment, &mut components, &quantizers, &tables)?;
                    let scan = bytes.len() - rest.len();
                    return Some(Self {
                        width,
                        height,
                        components,
                        restart,
                        scan,
                    });
                }
                // Other frames and other ways to code; a height that comes later.
                0xc0..=0xcf | 0xdc => return None,
                0xe0..=0xef | 0xfe => {}
                _ => return None,
            }
        }
    }
}

fn quantizing(mut segment: &[u8], quantizers: &mut [Option<[f32; 64]>; 4]) -> Option<()> {
    while let Some((&kind, tail)) = segment.split_first() {
        let slot = quantizers.get_mut(usize::from(kind & 15))?;
        let mut steps = [0.0; 64];
        if kind >> 4 == 0 {
            let (values, tail) = tail.split_first_chunk::<64>()?;
            for (step, value) in steps.iter_mut().zip(values) {
                *step = f32::from(*value);
            }
            segment = tail;
        } else {
            let (values, tail) = tail.split_first_chunk::<128>()?;
            for (step, value) in steps.iter_mut().zip(values.as_chunks::<2>().0) {
                *step = f32::from(u16::from_be_bytes(*value));
            }
            segment = tail;
        }
        *slot = Some(steps);
    }
    Some(())
}

fn coding(mut segment: &[u8], tables: &mut [[Option<Table>; 4]; 2]) -> Option<()> {
    while let Some((&kind, tail)) = segment.split_first() {
        let (counts, tail) = tail.split_first_chunk::<16>()?;
        let number = counts.iter().map(|n| usize::from(*n)).sum();
        let slot = tables
            .get_mut(usize::from(kind >> 4))?
            .get_mut(usize::from(kind & 15))?;
        *slot = Some(Table::new(counts, tail.get(..number)?)?);
        segment = tail.get(number..)?;
    }
    Some(())
}

type Frame = (usize, usize, Vec<Component>);

fn components(segment: &[u8]) -> Option<Frame> {
    let (&[8, h1, h0, w1, w0, number], rest) = segment.split_first_chunk()? else {
        return None;
    };
    let height = usize::from(u16::from_be_bytes([h1, h0]));
    let width = usize::from(u16::from_be_bytes([w1, w0]));
    let components: Vec<_> = rest
        .as_chunks::<3>()
        .0
        .iter()
        .map(|&[id, sampling, quantizer]| Component {
            id,
            h: usize::from(sampling >> 4),
            v: usize::from(sampling & 15),
            quantizer: quantizer.into(),
            steps: [0.0; 64],
            dc: Table::empty(),
            ac: Table::empty(),
        })
        .collect();
    let factors: Vec<_> = components.iter().map(|c| (c.h, c.v)).collect();
    let known = match factors[..] {
        // Those of RGB, whatever else the file says.
        _ if components.iter().map(|c| c.id).eq(*b"RGB") => false,
        // A scan of one component has no units of several blocks, whatever it says.
        [(1, 1)] => true,
        [(1 | 2, 1 | 2), (1, 1), (1, 1)] => true,
        _ => false,
    };
    let whole = width > 0 && height > 0 && usize::from(number) == components.len();
    (known && whole).then_some((width, height, components))
}

fn scanned(
    segment: &[u8],
    components: &mut [Component],
    quantizers: &[Option<[f32; 64]>; 4],
    [dc, ac]: &[[Option<Table>; 4]; 2],
) -> Option<()> {
    let (number, rest) = segment.split_first()?;
    if usize::from(*number) != components.len() || rest.len() != 2 * components.len() + 3 {
        return None;
    }
    let (chosen, range) = rest.split_at(2 * components.len());
    if range != [0, 63, 0] {
        return None;
    }
    for (component, &[id, table]) in components.iter_mut().zip(chosen.as_chunks::<2>().0) {
        if component.id != id {
            return None;
        }
        component.steps = (*quantizers.get(component.quantizer)?)?;
        component.dc = dc.get(usize::from(table >> 4))?.clone()?;
        component.ac = ac.get(usize::from(table & 15))?.clone()?;
    }
    Some(())
}
