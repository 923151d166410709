use super::*;
use crate::{
    engine::tensor,
    frame::{Frame, Layout},
};

#[test]
fn an_unknown_key_and_keys_that_do_not_fit_are_refused() {
    let card = |more: &str| {
        own_entry(&format!(
            "resize = 'stretch'\nsize = 320\npeak_mib = 9\n{more}"
        ))
    };
    assert!(card("task = 'cutout'").is_ok());
    for (wrong, names) in [
        ("task = 'cutout'\ncolour = 1", "colour"),
        ("task = 'cutout'\nfactor = 2", "factor"),
        ("task = 'inpaint'", "resize"),
        ("task = 'cutout'\noverlap = 320", "overlap"),
        ("task = 'cutout'\nstd = [1, 0, 1]", "std"),
        ("task = 'cutout'\ninputs = ['image', 'mask']", "inputs"),
        ("task = 'cutout'\nrange = 'signed'", "range"),
        (
            "task = 'kind'\ninputs = ['subject']\nnormalize = true",
            "normalize",
        ),
        ("task = 'colorize'\nactivation = 'sigmoid'", "activation"),
        ("task = 'cutout'\nsha256 = 'abc'", "sha256"),
    ] {
        let said = card(wrong).unwrap_err();
        assert!(said.contains(names), "{wrong}: {said}");
    }
    let tiles = "task = 'restore'\nresize = 'tile'\nsize = 64\noverlap = 8\n";
    for (more, names) in [
        ("peak_mib = 9\nrange = 'image-max'", "image-max"),
        ("peak_mib = 9\nmultiple_of = 16", "multiple_of"),
        ("peak_mib = 0", "peak_mib"),
        ("peak_mib = 1048577", "peak_mib"),
    ] {
        let said = own_entry(&format!("{tiles}{more}")).unwrap_err();
        assert!(said.contains(names), "{more}: {said}");
    }
    assert!(own_entry(&format!("{tiles}peak_mib = 1048576")).is_ok());
    let detector = |size| {
        own_entry(&format!(
            "task = 'face-detect'\nresize = 'letterbox'\nsize = {size}\npeak_mib = 9"
        ))
    };
    assert!(detector(640).is_ok());
    assert!(detector(600).unwrap_err().contains("multiple of 32"));
}

#[test]
fn the_names_of_tasks_are_those_of_the_manifest() {
    for task in Task::ALL {
        assert_eq!(serde_json::json!(task), task.name());
    }
}

#[test]
fn memory_is_reckoned_from_the_input_that_a_picture_gets() {
    let card =
        "task = 'cutout'\nresize = 'short-side'\nsize = 512\nmultiple_of = 32\npeak_mib = 100";
    let entry = own_entry(card).unwrap();
    for (size, input) in [
        ((512, 512), (512, 512)),
        ((8000, 5000), (832, 512)),
        ((100, 800), (512, 4096)),
        // No longer than eight times the shorter side.
        ((10, 4000), (512, 4096)),
        ((1, 1), (512, 512)),
    ] {
        assert_eq!(entry.by_short_side(size), input, "{size:?}");
        let frame = Frame::filled(size.0, size.1, Layout::Rgb, [0; 4]);
        let (tensor, _) = tensor::fitted(&frame, &entry);
        let shape = (tensor.shape()[3] as u32, tensor.shape()[2] as u32);
        assert_eq!(shape, input, "{size:?}");
        let pixels = u64::from(input.0) * u64::from(input.1);
        assert_eq!(
            entry.run_bytes(size),
            (100 << 20) * pixels / (512 * 512),
            "{size:?}"
        );
    }
    // A picture that is taken whole is filled up first.
    let card = "task = 'inpaint'\nresize = 'whole'\nsize = 64\nmultiple_of = 64\npeak_mib = 100";
    let entry = own_entry(&format!("{card}\ninputs = ['image', 'mask']")).unwrap();
    assert_eq!(entry.run_bytes((16_384, 1)), (100 << 20) * 256);
}
