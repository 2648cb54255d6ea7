//! Checks over recorded records: neither QEMU nor KVM is needed.

#[path = "replay/kvm_pvm.rs"]
mod kvm_pvm;
