//! Whole files of /proc and /sys, by their paths.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Files that are about no CPU in particular.
const PLAIN: [&str; 4] = [
    "/proc/cpuinfo",
    "/proc/cmdline",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/version",
];
/// What the kernel hands to every program, as pairs of words (getauxval(3)), and the name under which two of them are sent.
const AUXILIARY: (&str, &str) = ("/proc/self/auxv", "auxv");
/// AT_HWCAP and AT_HWCAP2 (include/uapi/linux/auxvec.h); others are addresses that differ each time.
const HARDWARE: [u64; 2] = [16, 26];
/// Folders of which every file is wanted.
const FOLDERS: [&str; 1] = ["/sys/devices/system/cpu/vulnerabilities"];
/// The kernel's log, a record a read.
const LOG: &str = "/dev/kmsg";
/// Longest record (PRINTK_MESSAGE_MAX in kernel/printk/internal.h is 2048).
const RECORD: usize = 8192;
/// Flag of open(2).
const O_NONBLOCK: i32 = 0o4000;

/// Path and content of what is about the whole machine.
pub fn machine() -> Vec<(PathBuf, Vec<u8>)> {
    let plain = PLAIN.iter().map(PathBuf::from);
    let listed = FOLDERS.iter().flat_map(|folder| within(Path::new(folder)));
    let mut files: Vec<_> = plain.chain(listed).filter_map(content).collect();
    let (path, name) = AUXILIARY;
    if let Ok(vector) = fs::read(path) {
        files.push((name.into(), hardware(&vector)));
    }
    files.push((LOG.into(), log()));
    files
}

/// A line a word of the auxiliary vector, `16 0x78bfbff`.
fn hardware(vector: &[u8]) -> Vec<u8> {
    let words = vector.chunks_exact(8).map(|word| {
        let word = word.first_chunk().copied().unwrap_or_default();
        u64::from_le_bytes(word)
    });
    let words: Vec<u64> = words.collect();
    let wanted = words
        .chunks_exact(2)
        .filter(|pair| HARDWARE.contains(&pair[0]));
    let lines = wanted.map(|pair| format!("{} {:#x}\n", pair[0], pair[1]));
    lines.collect::<String>().into_bytes()
}

/// What sysfs says of one CPU: topology and caches.
pub fn of_cpu(cpu: usize) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = PathBuf::from(format!("/sys/devices/system/cpu/cpu{cpu}"));
    let topology = within(&folder.join("topology"));
    let caches = entries(&folder.join("cache")).into_iter();
    let caches = caches
        .filter(|path| path.is_dir())
        .flat_map(|index| within(&index));
    topology
        .into_iter()
        .chain(caches)
        .filter_map(content)
        .collect()
}

/// A file that cannot be read is not there: what that means is the host's to say.
fn content(path: PathBuf) -> Option<(PathBuf, Vec<u8>)> {
    let bytes = fs::read(&path).ok()?;
    Some((path, bytes))
}

fn within(folder: &Path) -> Vec<PathBuf> {
    let mut files = entries(folder);
    files.retain(|path| path.is_file());
    files
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Every record of the log that there is, as the device gives them.
fn log() -> Vec<u8> {
    let mut log = Vec::new();
    let opened = fs::File::options()
        .read(true)
        .custom_flags(O_NONBLOCK)
        .open(LOG);
    if let Ok(mut file) = opened {
        let mut record = [0; RECORD];
        // EAGAIN is the end of what there is.
        while let Ok(count @ 1..) = file.read(&mut record) {
            log.extend(&record[..count]);
        }
    }
    log
}

#[cfg(test)]
mod tests {
    use super::hardware;

    #[test]
    fn two_words_of_the_auxiliary_vector_are_kept() {
        let words: [u64; 8] = [33, 0x7FFF_0000, 16, 0x178B_FBFF, 26, 2, 0, 0];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(hardware(&bytes), b"16 0x178bfbff\n26 0x2\n");
        assert_eq!(hardware(&bytes[..40]), b"16 0x178bfbff\n");
    }
}
