//! Many hosts: the CPU that each of them can give, why it is no more, and the proof of it. Pure: files are read elsewhere.
//!
//! A [`Host`] is made of what people hold of it ([`crate::input`]): KVM's word, QEMU's, libvirt's, CPUID of the hardware, /proc/cpuinfo.
//! What none of them says is unknown, and no answer rests on it. Hosts that can give the same are one [`Class`]; everything else here works
//! on classes, so ten thousand hosts cost what their few classes cost.

mod answer;
mod bits;
mod catalogue;
mod change;
mod choice;
mod class;
mod direct;
mod facts;
mod fold;
mod forms;
mod given;
mod given_table;
mod host;
mod kernel;
mod lab;
mod layout;
mod made;
mod models;
mod needs;
mod odd;
mod page;
mod pools;
mod proof;
mod remarks;
mod remedies;
mod since;
mod source;
mod sources;
mod tables;
mod text;
mod together;
mod why;

#[cfg(test)]
mod fixture;

pub use answer::{Answer, Fleet, NoAnswer, answer};
pub use bits::Bits;
pub use catalogue::{Catalogue, Feature, Value};
pub use change::Since;
pub use choice::{Choice, Wish};
pub use class::Class;
pub use direct::PageDirect;
pub use facts::{Basis, Facts};
pub use fold::fold;
pub use forms::{Form, NAMELESS, form};
pub use given_table::{GivenTable, given_tables};
pub use host::{Host, HostFile, Refusal};
pub use lab::{LabBehaviour, LabMove, LabRow, PageLab};
pub use models::{Model, models};
pub use needs::switched_off;
pub use page::{Page, PageAnswer, PageBoot, PageChoice, PageHosts, PageProof, PageRemark};
pub use proof::{Proof, prove};
pub use since::since;
pub use sources::Reading;
pub use tables::{Tables, TablesError};
pub use text::{Extent, markdown, text};
