//! XSAVE: the components of leaf 0DH, and how large the area of each and of all is.

use serde::Serialize;

use super::facts::{Facts, bytes};
use super::page::Section;
use crate::cpuid::answers::Regs;

/// What XSAVE keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Xsave {
    pub components: Vec<Component>,
    /// Bytes of the standard area, with all user components.
    pub size: u64,
    /// Of the components that are enabled now.
    pub size_enabled: u64,
    /// Of the compacted area, with what is enabled in XCR0 and IA32_XSS; 0 without XSAVES.
    pub size_compacted: u64,
}

/// A component of the area.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Component {
    pub bit: u32,
    pub name: &'static str,
    /// `None`: the leaf's subleaf is not in the input.
    pub size: Option<u64>,
    /// In the standard area; user components alone have one.
    pub offset: Option<u64>,
    pub supervisor: bool,
    /// Starts at a multiple of 64 bytes in the compacted area.
    pub aligned: bool,
    /// IA32_XFD can switch it off.
    pub disableable: bool,
}

/// SDM vol. 1, "XSAVE-supported features and state-component bitmaps"; 62 is AMD's (APM vol. 2, XCR0).
const NAMES: [(u32, &str); 20] = [
    (0, "x87"),
    (1, "SSE"),
    (2, "AVX"),
    (3, "MPX bound registers"),
    (4, "MPX BNDCSR"),
    (5, "AVX-512 opmask"),
    (6, "AVX-512 ZMM_Hi256"),
    (7, "AVX-512 Hi16_ZMM"),
    (8, "Intel PT"),
    (9, "PKRU"),
    (10, "PASID"),
    (11, "CET user"),
    (12, "CET supervisor"),
    (13, "HDC"),
    (14, "UINTR"),
    (15, "LBR"),
    (16, "HWP"),
    (17, "AMX TILECFG"),
    (18, "AMX TILEDATA"),
    (19, "APX"),
];

fn name(bit: u32) -> &'static str {
    let known = NAMES.iter().find(|(known, _)| *known == bit);
    match known {
        Some((_, name)) => name,
        None if bit == 62 => "LWP",
        None => "reserved",
    }
}

impl Xsave {
    /// `None` where the leaf is not there, or not known.
    pub fn new(facts: &Facts<'_>) -> Option<Xsave> {
        let [low, enabled, size, high] = facts.regs(0xd, 0)?;
        let user = u64::from(high) << 32 | u64::from(low);
        if user == 0 {
            return None;
        }
        let [_, compacted, low, high] = facts.regs(0xd, 1).unwrap_or_default();
        let all = user | u64::from(high) << 32 | u64::from(low);
        let bits = (0..63).filter(|bit| all >> bit & 1 != 0);
        Some(Xsave {
            components: bits
                .map(|bit| Component::new(bit, user, facts.regs(0xd, bit)))
                .collect(),
            size: size.into(),
            size_enabled: enabled.into(),
            size_compacted: compacted.into(),
        })
    }

    pub fn section(&self) -> Section {
        let mut section = Section::new("XSAVE components");
        for component in &self.components {
            let name = format!("{:>2} {}", component.bit, component.name);
            section.pair(&name, component.describe());
        }
        let mut sizes = format!("{} B, as enabled {} B", self.size, self.size_enabled);
        if self.size_compacted != 0 {
            sizes.push_str(&format!(", compacted {} B", self.size_compacted));
        }
        section.pair("Area", sizes);
        section
    }
}

impl Component {
    fn new(bit: u32, user: u64, regs: Option<Regs>) -> Component {
        let is_user = user >> bit & 1 != 0;
        // x87 and SSE have the legacy area, which every XSAVE area starts with (SDM vol. 1, "Legacy region of an XSAVE area").
        let (size, offset, flags) = match (bit, regs) {
            (0, _) => (Some(160), Some(0), 0),
            (1, _) => (Some(256), Some(160), 0),
            (_, Some([size, offset, flags, _])) => (Some(size), Some(offset), flags),
            (_, None) => (None, None, 0),
        };
        Component {
            bit,
            name: name(bit),
            size: size.map(u64::from),
            offset: offset.filter(|_| is_user).map(u64::from),
            supervisor: !is_user,
            aligned: flags & 2 != 0,
            disableable: flags & 4 != 0,
        }
    }

    fn describe(&self) -> String {
        let mut parts = vec![
            if self.supervisor {
                "supervisor"
            } else {
                "user"
            }
            .to_owned(),
        ];
        match self.size {
            Some(size) => parts.push(bytes(size)),
            None => parts.push("size not known".to_owned()),
        }
        parts.extend(self.offset.map(|offset| format!("at {offset}")));
        if self.aligned {
            parts.push("64-byte aligned".to_owned());
        }
        if self.disableable {
            parts.push("XFD".to_owned());
        }
        parts.join(", ")
    }
}
