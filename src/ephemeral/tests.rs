//! Inputs: counted, overwritten, never named, and what a witness says of their end.

use super::*;

fn spool(budget: u64) -> (Spool, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new("test"));
    (
        Spool::new("/dev/shm".into(), budget, metrics.clone()),
        metrics,
    )
}

#[test]
fn an_input_is_counted_read_back_and_gone() {
    let (spool, metrics) = spool(1 << 20);
    let mut input = spool.open(Some(5)).unwrap();
    input.append(b"hello").unwrap();
    assert_eq!((spool.ledger().live(), metrics.inputs_live.get()), (1, 1));
    assert_eq!(input.read_all().unwrap(), b"hello");
    input.close(Reason::Decoded);
    assert_eq!((spool.ledger().live(), metrics.inputs_live.get()), (0, 0));
    assert_eq!(
        metrics.inputs_deleted.with_label_values(&["decoded"]).get(),
        1
    );
    assert_eq!(metrics.spool_bytes.get(), 0);
}

#[test]
fn bytes_are_overwritten_before_the_file_is_closed() {
    let (spool, _) = spool(1 << 20);
    let mut input = spool.open(None).unwrap();
    input.append(&[7; 100_000]).unwrap();
    let second = input.file().unwrap().try_clone().unwrap();
    input.close(Reason::Decoded);
    let mut left = vec![1; 100_000];
    second.read_exact_at(&mut left, 0).unwrap();
    assert!(left.iter().all(|b| *b == 0));
}

#[test]
fn a_witness_says_what_became_of_each_input() {
    let (spool, _) = spool(1 << 20);
    let witness = Witness::new(true);
    let seen = spool.witnessed(&witness);
    let mut first = seen.open(Some(3)).unwrap();
    first.append(b"abc").unwrap();
    first.take_digest();
    let mut second = seen.open(None).unwrap();
    second.append(&[9; 70_000]).unwrap();
    first.close(Reason::Decoded);
    assert_eq!(witness.all_ended(), None, "one of them is alive");
    // Of a file that cannot be written to nothing is overwritten, and that is what is said.
    let name = std::env::temp_dir().join(format!("safelight-seen-{}", std::process::id()));
    std::fs::write(&name, b"").unwrap();
    second.file = Some(File::open(&name).unwrap());
    std::fs::remove_file(&name).unwrap();
    drop(second);
    drop(seen.open(None).unwrap());
    let ended = witness.all_ended().unwrap();
    let facts: Vec<_> = ended.iter().map(|e| (e.bytes, e.overwritten)).collect();
    assert_eq!(facts, [(3, true), (70_000, false)], "an empty one is none");
    assert_eq!(
        ended[0].sha256.as_deref(),
        Some(digest::of(b"abc").as_str())
    );
    assert_eq!(ended[1].sha256, None, "nobody took it");
    if cfg!(target_os = "linux") {
        assert_eq!(ended[0].store(), "tmpfs/O_TMPFILE");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn an_input_can_never_be_given_a_name() {
    use rustix::fs::{AtFlags, CWD, linkat};
    use std::os::fd::AsRawFd;
    let (spool, _) = spool(1 << 20);
    let mut input = spool.open(None).unwrap();
    let open = format!("/proc/self/fd/{}", input.file().unwrap().as_raw_fd());
    let name = format!("/dev/shm/safelight-linked-{}", std::process::id());
    let linked = linkat(CWD, open, CWD, &name, AtFlags::SYMLINK_FOLLOW);
    assert_eq!(linked, Err(rustix::io::Errno::NOENT));
}

#[test]
fn the_budget_is_shared_and_given_back() {
    let (spool, _) = spool(1 << 20);
    let first = spool.open(Some(900 << 10)).unwrap();
    assert!(matches!(
        spool.open(Some(200 << 10)),
        Err(Error::Busy { .. })
    ));
    let mut grows = spool.open(None).unwrap();
    assert!(matches!(
        grows.append(&[0; 200 << 10]),
        Err(Error::Busy { .. })
    ));
    drop(first);
    grows.append(&[0; 200 << 10]).unwrap();
}

#[test]
fn a_panic_is_the_reason_of_what_it_drops() {
    let (spool, metrics) = spool(1 << 20);
    let input = spool.open(None).unwrap();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _input = input;
        panic!("on purpose");
    }));
    assert!(outcome.is_err());
    assert_eq!(
        metrics.inputs_deleted.with_label_values(&["panic"]).get(),
        1
    );
}
