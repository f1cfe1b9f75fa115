//! Memory of the machine that this process may use.

use std::fs::read_to_string;
use std::path::Path;

const MIB: u64 = 1024 * 1024;

/// Default if the machine does not report its memory.
const UNKNOWN: u64 = 2048 * MIB;

/// Minimum memory for jobs, however small the machine.
const LEAST: u64 = 64 * MIB;

/// Returns the memory for jobs in bytes: that of the machine, or the control group's limit if that is lower. A quarter,
/// and at least 256 MiB, is reserved for the services in this process.
pub(crate) fn budget() -> u64 {
    for_jobs(least_limit(Path::new("/")).unwrap_or(UNKNOWN))
}

fn for_jobs(whole: u64) -> u64 {
    whole.saturating_sub((whole / 4).max(256 * MIB)).max(LEAST)
}

/// Returns the lowest memory limit of this process. Control groups of versions 1 and 2 have different files, and the
/// limits of parent groups also apply.
fn least_limit(root: &Path) -> Option<u64> {
    let groups = read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, group) = (parts.next()?, parts.next()?);
        let (mount, file) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max"),
            controllers if controllers.split(',').any(|it| it == "memory") => {
                ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let mount = root.join(mount);
        // A container may see its own group as the root, although its path is that of the host.
        let own = mount.join(group.trim_start_matches('/'));
        own.ancestors()
            .take_while(|folder| folder.starts_with(&mount))
            .filter_map(|folder| read_to_string(folder.join(file)).ok()?.trim().parse().ok())
            .min()
    });
    limits.chain(total(root)).min()
}

fn total(root: &Path) -> Option<u64> {
    let info = read_to_string(root.join("proc/meminfo")).ok()?;
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(
        line.trim()
            .trim_end_matches("kB")
            .trim()
            .parse::<u64>()
            .ok()?
            * 1024,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> Option<u64> {
        let root = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("make the folder");
            std::fs::write(path, text).expect("write");
        }
        least_limit(root.path())
    }

    const TOTAL: (&str, &str) = (
        "proc/meminfo",
        "MemTotal:       24683000 kB\nMemFree:  1 kB\n",
    );

    #[test]
    fn without_a_control_group_it_is_the_machines() {
        assert_eq!(machine(&[TOTAL]), Some(24_683_000 * 1024));
        assert_eq!(machine(&[]), None);
        assert_eq!(
            machine(&[TOTAL, ("proc/self/cgroup", "0::/\n3:cpuset:/\n")]),
            Some(24_683_000 * 1024)
        );
    }

    #[test]
    fn the_limit_of_the_own_group_counts_in_both_versions() {
        let v1 = (
            "proc/self/cgroup",
            "9:name=systemd:/\n4:memory:/a/b\n0::/\n",
        );
        assert_eq!(
            machine(&[
                TOTAL,
                v1,
                (
                    "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes",
                    "1073741824\n"
                )
            ]),
            Some(1 << 30)
        );
        let joint = ("proc/self/cgroup", "4:cpu,memory:/a\n");
        assert_eq!(
            machine(&[
                TOTAL,
                joint,
                ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "4096")
            ]),
            Some(4096)
        );
        let v2 = ("proc/self/cgroup", "0::/user.slice/x\n");
        assert_eq!(
            machine(&[
                TOTAL,
                v2,
                ("sys/fs/cgroup/user.slice/x/memory.max", "1073741824\n")
            ]),
            Some(1 << 30)
        );
    }

    #[test]
    fn the_limits_of_the_groups_above_count_too_and_no_limit_is_none() {
        let group = ("proc/self/cgroup", "0::/a/b\n");
        let own = ("sys/fs/cgroup/a/b/memory.max", "max\n");
        assert_eq!(
            machine(&[TOTAL, group, own, ("sys/fs/cgroup/a/memory.max", "8192\n")]),
            Some(8192)
        );
        assert_eq!(machine(&[TOTAL, group, own]), Some(24_683_000 * 1024));
        let huge = (
            "sys/fs/cgroup/memory/memory.limit_in_bytes",
            "9223372036854771712\n",
        );
        assert_eq!(
            machine(&[TOTAL, ("proc/self/cgroup", "4:memory:/\n"), huge]),
            Some(24_683_000 * 1024)
        );
    }

    #[test]
    fn a_container_that_does_not_see_the_path_of_its_group_finds_the_limit_at_the_root() {
        let group = ("proc/self/cgroup", "4:memory:/docker/0123\n");
        let root = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n");
        assert_eq!(machine(&[TOTAL, group, root]), Some(512 * MIB));
    }

    #[test]
    fn a_quarter_and_at_least_256_mib_are_not_for_jobs() {
        let mib = |mib: u64| for_jobs(mib * MIB) / MIB;
        assert_eq!(
            [mib(100), mib(512), mib(1024), mib(24_000)],
            [64, 256, 768, 18_000]
        );
    }
}
