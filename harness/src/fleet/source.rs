//! What one source says of a host.

use super::bits::Bits;
use super::facts::Basis;
use super::layout::Layout;

/// What one source says.
#[derive(Clone, Debug)]
pub struct Source {
    /// On whose word.
    pub basis: Basis,
    /// The file, and what of it.
    pub name: String,
    /// Features that guests can have.
    pub gives: Bits,
    /// Features that they cannot have.
    pub lacks: Bits,
    /// Of the hardware, where that is what was looked at: what it has and what it lacks.
    pub hardware: Option<(Bits, Bits)>,
    /// Vendor.
    pub vendor: Option<String>,
    /// Brand.
    pub brand: Option<String>,
    /// Bits of physical addresses.
    pub phys_bits: Option<u32>,
    /// XSAVE.
    pub layout: Layout,
}
