//! One bit of a CPUID register, as manuals write it.

use std::fmt;

use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer, Serialize};

use super::line::{Line, Register, bits};
use super::table::{Field, Space, Table};
use crate::cpuid::answers::{Key, Regs};

/// A bit of a register: leaf, subleaf, register 0 to 3, bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Bit {
    /// CPUID leaf and subleaf.
    pub key: Key,
    /// 0 to 3 for EAX to EDX.
    #[serde(deserialize_with = "below::<4, _>")]
    pub register: u8,
    /// 0 to 31.
    #[serde(deserialize_with = "below::<32, _>")]
    pub bit: u8,
}

/// Reads the number of a register or of a bit, which is less than `LIMIT`: it becomes an index, and a record may have any number there.
///
/// # Errors
/// It is more.
pub fn below<'de, const LIMIT: u8, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let number = u8::deserialize(deserializer)?;
    if number < LIMIT {
        return Ok(number);
    }
    let found = Unexpected::Unsigned(number.into());
    Err(D::Error::invalid_value(
        found,
        &format!("a number below {LIMIT}").as_str(),
    ))
}

/// The same where there may be none.
///
/// # Errors
/// It is more.
pub fn below_if_any<'de, const LIMIT: u8, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u8>, D::Error> {
    #[derive(Deserialize)]
    struct Number<const LIMIT: u8>(#[serde(deserialize_with = "below::<LIMIT, _>")] u8);
    let number = Option::<Number<LIMIT>>::deserialize(deserializer)?;
    Ok(number.map(|Number(number)| number))
}

impl Bit {
    /// Whether it is set in what CPUID answered to its leaf and subleaf.
    pub fn is_set(self, regs: Regs) -> bool {
        regs[usize::from(self.register)] >> self.bit & 1 == 1
    }

    /// The field of the table that holds it.
    pub fn field(self, table: &Table) -> Option<&Field> {
        let mut fields =
            table.register(Space::Cpuid, self.key.leaf, self.key.subleaf, self.register);
        fields.find(|field| (field.low..=field.high).contains(&self.bit))
    }

    /// As an expectation line of CPUID where it is set.
    pub fn line(self, table: &Table) -> Line {
        let Key { leaf, subleaf } = self.key;
        let register = ["eax", "ebx", "ecx", "edx"][usize::from(self.register)];
        Line::new(
            Register::Cpuid,
            format!("0x{leaf:08x}.{subleaf:02x}"),
            bits(register, self.bit, self.bit),
            self.name(table),
        )
    }

    /// Its field's name, or `reserved`.
    pub fn name(self, table: &Table) -> &str {
        self.field(table).map_or("reserved", |field| &field.name)
    }
}

impl fmt::Display for Bit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let register = ["EAX", "EBX", "ECX", "EDX"][usize::from(self.register)];
        let Key { leaf, subleaf } = self.key;
        write!(
            f,
            "CPUID.{leaf:02X}H.{subleaf:02X}H:{register}[{}]",
            self.bit
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_register_or_a_bit_that_there_is_not_is_refused() {
        let read = |register: u32, bit: u32| {
            let key = "\"key\": {\"leaf\": 7, \"subleaf\": 0}";
            let text = format!("{{{key}, \"register\": {register}, \"bit\": {bit}}}");
            serde_json::from_str::<Bit>(&text).map_err(|error| error.to_string())
        };
        assert_eq!(
            read(3, 31).map(|bit| bit.to_string()).as_deref(),
            Ok("CPUID.07H.00H:EDX[31]")
        );
        let error = read(4, 0).expect_err("no register");
        assert!(
            error.starts_with("invalid value: integer `4`, expected a number below 4"),
            "{error}"
        );
        assert!(read(0, 32).is_err() && read(0, 300).is_err());
    }
}
