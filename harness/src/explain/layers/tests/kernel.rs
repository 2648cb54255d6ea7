use super::*;

/// A guest that has it, and a kernel that does not show it.
fn kernel(state: State, cause: Option<Cause>) -> String {
    let mut evidence = whole();
    (evidence.lane, evidence.run_as) = (Lane::LINUX, Lane::LINUX.run_as());
    evidence.host = None;
    evidence.kernel = Some((Claim::new(state, "/proc/cpuinfo"), cause));
    verdict(&layers(&evidence))
}

#[test]
fn what_the_guests_kernel_takes_has_its_cause() {
    use crate::check::linux::Loss;
    let lost = |loss| kernel(State::Absent, Some(Cause::GuestKernel { loss }));
    let parameter = "clearcpuid=avx2".to_owned();
    assert_eq!(
        lost(Loss::CommandLine { word: parameter }),
        "the guest kernel's command line took it: clearcpuid=avx2"
    );
    let release = "5.10.0".to_owned();
    assert_eq!(
        lost(Loss::NotKnown { release }),
        "Linux 5.10.0 has no name for it"
    );
    let flag = "xsave".to_owned();
    assert_eq!(
        lost(Loss::Needs { flag }),
        "the guest's kernel takes it where xsave is not"
    );
    let why = "an erratum".to_owned();
    assert_eq!(
        lost(Loss::Rule { why }),
        "the guest's kernel took it: an erratum"
    );
    assert_eq!(
        lost(Loss::Unnamed),
        "the guest's kernel left it out, and no rule says why"
    );
    assert_eq!(
        kernel(State::Absent, Some(Cause::NoLinuxFlag)),
        "Linux shows no flag for it"
    );
    assert_eq!(kernel(State::Present, None), "the guest's kernel shows it");
}
