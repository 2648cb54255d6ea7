//! KTAP version 1, as the kernel's selftests print it (Documentation/dev-tools/ktap.rst).

use crate::results::Row;
use crate::results::Status;

use super::changes::account;
use super::shown::Shown;

/// The text of a run: one test point a case, and what it says of itself as diagnostic lines before it.
pub fn run(shown: &Shown) -> String {
    let rows = shown.rows();
    let mut text = format!("KTAP version 1\n1..{}\n", rows.len());
    for (index, row) in rows.iter().enumerate() {
        let number = index + 1;
        if row.bad() {
            text.extend(account(row).lines().map(|line| format!("# {line}\n")));
        }
        // `#` starts a directive; a description must not hold one, and KTAP has no way to quote it.
        let name = format!("{}{}", row.case, host(row)).replace('#', "_");
        let reason = row.reason.lines().next().unwrap_or_default();
        text.push_str(&match row.status {
            Status::Pass => format!("ok {number} {name}\n"),
            Status::Skip => format!("ok {number} {name} # SKIP {reason}\n"),
            // A known failure that people accept: the harness is expected to fail here.
            Status::Waived => format!("ok {number} {name} # XFAIL {reason}\n"),
            Status::Fail => format!("not ok {number} {name}\n"),
            Status::Error => format!("not ok {number} {name} # ERROR {reason}\n"),
            Status::Miss => format!("not ok {number} {name} # ERROR MISS: {reason}\n"),
        });
    }
    text
}

fn host(row: &Row) -> String {
    row.host
        .as_ref()
        .map(|host| format!(" on {host}"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::fixture::{lost, row};

    #[test]
    fn every_outcome_has_its_line() {
        let mut skipped = row("kvm/qemu-11.1/-/486-v1", Status::Skip);
        skipped.reason = "no /dev/kvm".to_owned();
        let rows = [
            row("tcg/qemu-11.1/-/486-v1", Status::Pass),
            skipped,
            lost("tcg/qemu-11.1/-/max", &["avx2"]),
        ];
        assert_eq!(
            run(&Shown::of_rows(&rows)),
            "KTAP version 1\n1..3\nok 1 tcg/qemu-11.1/-/486-v1\nok 2 kvm/qemu-11.1/-/486-v1 on this/host # SKIP no /dev/kvm\n\
             # FAIL tcg/qemu-11.1/-/max\n#   lost avx2 at CPUID.07H.00H:EBX[4] (layer: qemu)\n\
             # -cpuid 0x00000007.00 ebx[ 4]     avx2\n#   qemu-system-x86_64 -cpu max\n\
             #   reproduce (exit status 1 and the same lines: it is still so; 0: it is not; 3: it could not be run):\n\
             #   cpuid-fidelity check --cpu max\nnot ok 3 tcg/qemu-11.1/-/max\n"
        );
    }
}
