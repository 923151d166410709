//! The program: harden the process, read the command line, run it, report its exit code.

use std::process::ExitCode;

use safelight::{cli, harden};

#[global_allocator]
static ALLOCATOR: harden::alloc::Wiping = harden::alloc::Wiping;

fn main() -> ExitCode {
    #[cfg(feature = "test-hooks")]
    harden::hooks::apply();
    let hardening = harden::process::harden();
    cli::run(std::env::args_os().collect(), hardening)
}
