//! Process hardening: no core dump, no debugger of the same user, C memory overwritten when freed.

/// What [`harden`] achieved; `false` means that the system refused or has no such thing.
#[derive(Debug, Clone, Copy)]
pub struct Hardening {
    /// The process cannot be dumped or traced by its own user (Linux: PR_SET_DUMPABLE 0).
    pub not_dumpable: bool,
    /// Core files are limited to 0 bytes.
    pub no_core: bool,
    /// Memory freed by C code is overwritten (glibc).
    pub c_heap_wiped: bool,
}

/// Hardens this process. Call it first in `main`, before any thread exists.
pub fn harden() -> Hardening {
    no_telemetry();
    // Where it is refused a job takes more memory, and no more than that.
    super::heap::one_for_all();
    Hardening {
        not_dumpable: not_dumpable(),
        no_core: no_core(),
        c_heap_wiped: c_heap_wiped(),
    }
}

#[cfg(target_os = "linux")]
fn not_dumpable() -> bool {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn not_dumpable() -> bool {
    false
}

/// ONNX Runtime reports to its maker from version 1.29 on, on Linux and macOS too: it keeps a device
/// id and a data base in the home folder and sends what it has gathered over HTTPS. The switch of
/// its interface leaves the folder, the id and the report of the start as they are; only this
/// variable, set before the library is loaded, leaves nothing (contracts E1 and E14).
#[allow(unsafe_code)]
fn no_telemetry() {
    // SAFETY: this runs first in `main`, so no other thread can be reading the environment.
    unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };
}

fn no_core() -> bool {
    use rustix::process::{Resource, Rlimit, setrlimit};
    setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )
    .is_ok()
}

/// ONNX Runtime and libwebp free their own memory. A static glibc cannot be given another `free`;
/// there its own switch has to do: freed memory is filled with the complement of this byte, whose
/// value means nothing.
#[cfg(all(target_os = "linux", target_env = "gnu", target_feature = "crt-static"))]
#[allow(unsafe_code)]
fn c_heap_wiped() -> bool {
    // SAFETY: `mallopt` changes a process-wide setting of malloc and touches no memory of ours.
    super::alloc::wiping() && unsafe { libc::mallopt(libc::M_PERTURB, 0x55) == 1 }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu", target_feature = "crt-static")))]
fn c_heap_wiped() -> bool {
    super::heap::OVERWRITES && super::alloc::wiping()
}
