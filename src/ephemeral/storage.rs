//! What the machine does with the spool and with memory: found out at the start, shown by
//! `doctor`, judged by `--ephemerality`.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use crate::{config::Ephemerality, harden::fault};

/// The tmpfs that the container image wants, as `docker run --tmpfs` takes it: for its user alone,
/// twice the default `--spool-budget`. README and compose file have the same.
const CONTAINER_SPOOL: &str = "/spool:uid=65532,mode=0700,size=512m";

/// What was found about the spool's folder and about swap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// The folder.
    pub folder: PathBuf,
    /// Why this folder: the setting or the place in the search order.
    pub chosen_by: &'static str,
    /// Whether it lies on a memory file system.
    pub in_memory: bool,
    /// Whether that file system is mounted so that it is never swapped out.
    pub noswap: bool,
    /// Whether files there can be made without a name (`O_TMPFILE`).
    pub nameless: bool,
    /// Whether the machine has swap switched on.
    pub swap_on: bool,
    /// Whether this process's control group may use swap.
    pub swap_allowed: bool,
}

impl Storage {
    /// Everything that breaks the promise that no byte reaches a disk, a sentence each; empty
    /// where it holds.
    pub fn objections(&self) -> Vec<String> {
        let folder = self.folder.display();
        let mut found = Vec::new();
        if !self.in_memory {
            found.push(format!(
                "the spool {folder} is not on a tmpfs: uploads would be written to a disk \
                 (--spool DIR on a tmpfs; docker: --tmpfs {CONTAINER_SPOOL})"
            ));
        }
        if !self.nameless {
            found.push(format!(
                "the spool {folder} cannot hold files without a name (O_TMPFILE)"
            ));
        }
        if self.swap_on && self.swap_allowed {
            found.push(
                "memory can be swapped out to a disk (swapoff -a; docker: --memory 2g \
                 --memory-swap 2g, the two equal; systemd: MemorySwapMax=0)"
                    .to_owned(),
            );
        }
        found
    }

    /// What `mode` makes of the objections.
    ///
    /// # Errors
    /// In `strict` mode, the objections in one line.
    pub fn judge(&self, mode: Ephemerality) -> Result<Vec<String>, String> {
        let objections = self.objections();
        match mode {
            Ephemerality::Strict if !objections.is_empty() => Err(objections.join("; ")),
            _ => Ok(objections),
        }
    }
}

/// Chooses the spool's folder (`set`, else the first of `/dev/shm` and `$XDG_RUNTIME_DIR` that is in
/// memory and can be written to, else the temporary folder) and looks at it.
///
/// # Errors
/// A sentence, where the folder does not exist or nothing can be written there.
pub fn inspect(set: Option<&Path>, runtime_dir: Option<PathBuf>) -> Result<Storage, String> {
    let (folder, chosen_by) = match set {
        Some(folder) => (folder.to_path_buf(), "--spool"),
        None => default_folder(runtime_dir),
    };
    if !folder.is_dir() {
        return Err(format!("the spool {} is not a folder", folder.display()));
    }
    let nameless = nameless(&folder);
    if !nameless && tempfile::tempfile_in(&folder).is_err() {
        return Err(format!(
            "no file can be made in the spool {}",
            folder.display()
        ));
    }
    let (in_memory, noswap) = mount_of(&folder);
    let storage = Storage {
        chosen_by,
        in_memory,
        noswap,
        nameless,
        swap_on: swap_on(&fault::swap_table()),
        swap_allowed: swap_allowed(),
        folder,
    };
    Ok(storage)
}

fn default_folder(runtime_dir: Option<PathBuf>) -> (PathBuf, &'static str) {
    let places = [
        (Some(PathBuf::from("/dev/shm")), "the default"),
        (runtime_dir, "$XDG_RUNTIME_DIR, since /dev/shm is of no use"),
    ];
    let mut known = places
        .into_iter()
        .filter_map(|(folder, why)| Some((folder?, why)));
    known
        .find(|(folder, _)| mount_of(folder).0 && nameless(folder))
        .unwrap_or_else(|| (std::env::temp_dir(), "no tmpfs was found"))
}

#[cfg(target_os = "linux")]
fn nameless(folder: &Path) -> bool {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = libc::O_TMPFILE | libc::O_EXCL;
    let mut options = fs::OpenOptions::new();
    options
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(flags)
        .open(folder)
        .is_ok()
}

#[cfg(not(target_os = "linux"))]
fn nameless(_: &Path) -> bool {
    false
}

/// The type of a tmpfs (statfs(2): TMPFS_MAGIC).
#[cfg(target_os = "linux")]
const TMPFS_MAGIC: i128 = 0x0102_1994;

/// Whether an open file lies on a tmpfs.
#[cfg(target_os = "linux")]
pub(super) fn on_tmpfs(file: &File) -> bool {
    rustix::fs::fstatfs(file).is_ok_and(|s| s.f_type as i128 == TMPFS_MAGIC)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn on_tmpfs(_: &File) -> bool {
    false
}

/// Whether the folder lies on a tmpfs, and whether that one is `noswap`.
#[cfg(target_os = "linux")]
fn mount_of(folder: &Path) -> (bool, bool) {
    let in_memory = rustix::fs::statfs(folder).is_ok_and(|s| s.f_type as i128 == TMPFS_MAGIC);
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let path = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
    (in_memory, in_memory && noswap(&table, &path))
}

#[cfg(not(target_os = "linux"))]
fn mount_of(_: &Path) -> (bool, bool) {
    (false, false)
}

/// Whether the mount that holds `path` has the option `noswap` (proc_pid_mountinfo(5): field 5 is
/// the mount point, the last one the file system's own options).
#[cfg(target_os = "linux")]
fn noswap(table: &str, path: &Path) -> bool {
    let mounts = table.lines().filter_map(|line| {
        let point = line.split(' ').nth(4)?;
        let options = line.rsplit(' ').next()?;
        path.starts_with(point).then_some((point.len(), options))
    });
    // The deepest mount point wins; of two at the same place, the later one hides the earlier.
    let deepest = mounts.max_by_key(|(depth, _)| *depth);
    deepest.is_some_and(|(_, options)| options.split(',').any(|option| option == "noswap"))
}

/// Whether any swap is on: the first line of the table is its heading.
fn swap_on(table: &Path) -> bool {
    fs::read_to_string(table).is_ok_and(|text| text.lines().skip(1).any(|l| !l.trim().is_empty()))
}

/// Whether the control group lets its memory be swapped (cgroup v2: memory.swap.max, which holds
/// for all groups below as well).
fn swap_allowed() -> bool {
    let forbids = |file: &Path| fs::read_to_string(file).is_ok_and(|text| text.trim() == "0");
    if let Some(file) = fault::swap_limit() {
        return !forbids(&file);
    }
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = own.lines().find_map(|line| line.strip_prefix("0::"));
    let own = own.unwrap_or("/").trim_start_matches('/');
    let all = Path::new("/sys/fs/cgroup");
    let groups = Path::new(own).ancestors().map(|group| all.join(group));
    !groups
        .map(|group| group.join("memory.swap.max"))
        .any(|file| forbids(&file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_deepest_mount_decides_about_noswap() {
        let table = "20 1 0:1 / / rw - ext4 /dev/vda rw\n\
                     21 20 0:2 / /spool rw - tmpfs tmpfs rw,size=262144k,noswap\n";
        assert!(noswap(table, Path::new("/spool")));
        assert!(noswap(table, Path::new("/spool/below")));
        assert!(!noswap(table, Path::new("/spoolless")));
    }

    #[test]
    fn strict_refuses_what_warn_reports() {
        let disk = Storage {
            folder: "/var/tmp".into(),
            chosen_by: "--spool",
            in_memory: false,
            noswap: false,
            nameless: true,
            swap_on: true,
            swap_allowed: true,
        };
        assert_eq!(disk.judge(Ephemerality::Warn).unwrap().len(), 2);
        assert!(
            disk.judge(Ephemerality::Strict)
                .unwrap_err()
                .contains("--tmpfs")
        );
        let good = Storage {
            in_memory: true,
            swap_on: false,
            ..disk
        };
        assert_eq!(good.judge(Ephemerality::Strict), Ok(vec![]));
    }
}
