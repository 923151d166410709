//! What each stage of a cutout takes from the heap: how often, how much in all, and how much of it
//! at once. Volumes are in sizes of the decoded picture (3 bytes a pixel), so that a copy of the
//! pixels that nobody needs is seen at once. What ONNX Runtime takes is not seen here.

#[path = "parts/mod.rs"]
mod parts;
#[path = "parts/table.rs"]
mod table;

use std::fmt::Write as _;

use allocation_counter::{AllocationInfo, measure};

const SIZES: [(u32, (u32, u32)); 3] = [(1, (1152, 864)), (12, (4000, 3000)), (40, (7300, 5475))];

type Lines = Vec<(&'static str, AllocationInfo)>;

fn main() {
    let mut columns: Vec<(u32, f64, Lines)> = Vec::new();
    for (megapixels, size) in SIZES {
        let file = parts::jpeg(size);
        // What is made once is not counted.
        parts::cut_out(&file, |_, work| work());
        let mut lines = Lines::new();
        parts::cut_out(&file, |name, work| {
            let info = measure(work);
            lines.push((name, info));
        });
        let picture = f64::from(size.0) * f64::from(size.1) * 3.0;
        columns.push((megapixels, picture, lines));
    }
    let mut text = String::from("| |");
    for (megapixels, ..) in &columns {
        write!(text, " {megapixels} MP times | volume | at once |").unwrap();
    }
    text += "\n| --- |";
    text += &" --- | --- | --- |".repeat(columns.len());
    for line in 0..columns[0].2.len() {
        write!(text, "\n| {} |", columns[0].2[line].0).unwrap();
        for (_, picture, lines) in &columns {
            let info = &lines[line].1;
            let volume = info.bytes_total as f64 / picture;
            let peak = info.bytes_max as f64 / picture;
            write!(text, " {} | {volume:.2} | {peak:.2} |", info.count_total).unwrap();
        }
    }
    table::publish("allocations", &(text + "\n"));
}
