//! What the machine and the control group give to this process.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where control groups are, on every Linux that mounts them.
const GROUPS: &str = "/sys/fs/cgroup";

/// Memory that this process may use, in bytes: the smaller of the machine's and the control
/// group's.
pub fn memory_given() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
        let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib << 10)
    });
    let older = || number(Path::new("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
    let group = group_limit("memory.max").or_else(older);
    [machine, group].into_iter().flatten().min()
}

/// The smallest figure in the files of this name, of this process's control group and of all above
/// it (cgroup v2, where a limit holds for everything below); none where there is no limit.
pub fn group_limit(name: &str) -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = own.lines().find_map(|line| line.strip_prefix("0::"));
    let own = PathBuf::from(own.unwrap_or("/").trim_start_matches('/'));
    let groups = own.ancestors().map(|group| Path::new(GROUPS).join(group));
    groups.filter_map(|group| number(&group.join(name))).min()
}

/// The number in a file; `max`, which is no limit, is none.
fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}
