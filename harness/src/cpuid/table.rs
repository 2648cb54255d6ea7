//! `features.tsv`: where every CPUID and MSR bit is, and what it is called.

use std::collections::{BTreeMap, HashMap};

use crate::util::order::release;

/// Where a row's leaf lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    /// CPUID; the leaf is EAX on input.
    Cpuid,
    /// CPUID where the hypervisor's leaves are Hyper-V's and mean something else than KVM's ([`super::hypervisor`]).
    HyperV,
    /// RDMSR; the leaf is the MSR's index.
    Msr,
}

/// How a field's value is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One bit: the name alone, where it is set.
    Flag,
    /// Decimal.
    Dec,
    /// Hexadecimal.
    Hex,
    /// Four ASCII bytes.
    Text,
}

/// Which subleaves a row speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subleaves {
    /// The leaf has none (or the row is an MSR).
    None,
    /// This one.
    One(u32),
    /// This one and all later ones.
    From(u32),
    /// All.
    All,
}

impl Subleaves {
    /// Whether the row speaks of this subleaf.
    pub fn covers(self, subleaf: u32) -> bool {
        match self {
            Subleaves::None | Subleaves::All => true,
            Subleaves::One(only) => only == subleaf,
            Subleaves::From(first) => subleaf >= first,
        }
    }
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// CPUID or MSR.
    pub space: Space,
    /// CPUID leaf or MSR index.
    pub leaf: u32,
    /// Subleaves it holds for.
    pub subleaves: Subleaves,
    /// 0 to 3 for EAX to EDX; 0 for an MSR.
    pub register: u8,
    /// Lowest bit.
    pub low: u8,
    /// Highest bit, inclusive.
    pub high: u8,
    /// QEMU's `-cpu` spelling where QEMU names it.
    pub name: String,
    /// How the value prints.
    pub format: Format,
    /// Releases of QEMU that name it as a boolean property: first, and last where it was dropped.
    pub qemu: Option<Releases>,
    /// How the name was measured; `None` where it is of published sources, or where there is no property.
    pub measured: Option<Measured>,
    /// Other spellings, `linux:`, `libvirt:` or `qemu:` and the name.
    pub aliases: Vec<String>,
}

/// How it was measured that a property is this bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// Toggling the property moved the bit in a guest.
    InGuest,
    /// QEMU set the bit in an MSR with the property, and KVM, which does not offer it, refused that value.
    ByRefusal,
    /// Switching the property on cleared the bit 32 below, of a VMX control that is 1 by default: it need not be 1.
    ByClearing,
}

impl Measured {
    /// What column `evidence` has for it.
    pub fn cell(self) -> &'static str {
        match self {
            Measured::InGuest => "measured",
            Measured::ByRefusal => "measured:refusal",
            Measured::ByClearing => "measured:may-be-0",
        }
    }
}

/// A span of QEMU releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Releases {
    /// First release with the name.
    pub first: (u32, u32),
    /// Last one, where a later release dropped it.
    pub last: Option<(u32, u32)>,
}

impl Releases {
    /// Whether `release` names it.
    pub fn holds(&self, release: (u32, u32)) -> bool {
        self.first <= release && self.last.is_none_or(|last| release <= last)
    }
}

impl Field {
    /// The bits of the field, as a mask over its register.
    pub fn mask(&self) -> u64 {
        mask(self.low, self.high)
    }

    /// The other spellings with this prefix.
    pub fn aliases_of<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.aliases
            .iter()
            .filter_map(move |alias| alias.strip_prefix(prefix)?.strip_prefix(':'))
    }
}

/// Bits `low` to `high` set.
pub fn mask(low: u8, high: u8) -> u64 {
    (u64::MAX >> (63 - (high - low))) << low
}

/// What is wrong with a table, with line and column as an editor counts them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {problem}")]
pub struct TableError {
    /// The file's name.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong there.
    pub problem: String,
}

/// The whole table.
#[derive(Clone, Debug, Default)]
pub struct Table {
    fields: Vec<Field>,
    by_register: HashMap<(Space, u32, u8), Vec<usize>>,
    by_name: BTreeMap<(Space, String), usize>,
}

const COLUMNS: [&str; 10] = [
    "space", "leaf", "subleaf", "register", "bits", "name", "format", "qemu", "evidence", "aliases",
];
const REGISTERS: [&str; 4] = ["eax", "ebx", "ecx", "edx"];
/// Words that lines use for something else.
const TAKEN: [&str; 3] = ["reserved", "zero", "absent"];

impl Table {
    /// Reads a table; `file` is the name used in errors.
    ///
    /// # Errors
    /// The first row that is malformed, repeats a name, or overlaps an earlier row.
    pub fn parse(file: &str, text: &str) -> Result<Table, TableError> {
        let mut table = Table::default();
        for (index, row) in text.lines().enumerate() {
            if row.starts_with('#') || row.is_empty() {
                continue;
            }
            let field = Row::new(row)
                .field()
                .and_then(|field| table.add(field, row));
            field.map_err(|(column, problem)| TableError {
                file: file.to_owned(),
                line: index + 1,
                column,
                problem,
            })?;
        }
        Ok(table)
    }

    /// All rows, in the order of the file.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The fields of one register, lowest bit first.
    pub fn register(
        &self,
        space: Space,
        leaf: u32,
        subleaf: u32,
        register: u8,
    ) -> impl Iterator<Item = &Field> {
        let rows = self.by_register.get(&(space, leaf, register));
        let fields = rows.into_iter().flatten().map(|row| &self.fields[*row]);
        fields.filter(move |field| field.subleaves.covers(subleaf))
    }

    /// The field with this name or `qemu:` alias.
    pub fn named(&self, name: &str) -> Option<&Field> {
        let by_name = |space| self.by_name.get(&(space, name.to_owned()));
        let row = by_name(Space::Cpuid).or_else(|| by_name(Space::Msr));
        row.map(|row| &self.fields[*row]).or_else(|| {
            let mut fields = self.fields.iter();
            fields.find(|field| field.aliases_of("qemu").any(|alias| alias == name))
        })
    }

    fn add(&mut self, field: Field, row: &str) -> Result<(), (usize, String)> {
        let place = (field.space, field.leaf, field.register);
        let rows = self.by_register.entry(place).or_default();
        let clash = rows.iter().map(|other| &self.fields[*other]).find(|other| {
            other.mask() & field.mask() != 0 && overlap(other.subleaves, field.subleaves)
        });
        if let Some(other) = clash {
            let problem = format!("{} overlaps {}", field.name, other.name);
            return Err((column_of(row, 4), problem));
        }
        let index = self.fields.len();
        let name = (field.space, field.name.clone());
        if self.by_name.insert(name, index).is_some() {
            let problem = format!("the name {} is used twice", field.name);
            return Err((column_of(row, 5), problem));
        }
        rows.push(index);
        self.fields.push(field);
        let fields = &self.fields;
        rows.sort_by_key(|row| fields[*row].low);
        Ok(())
    }
}

fn overlap(one: Subleaves, other: Subleaves) -> bool {
    use Subleaves::{All, From, None, One};
    match (one, other) {
        (None | All, _) | (_, None | All) => true,
        (One(a), b) => b.covers(a),
        (a, One(b)) => a.covers(b),
        (From(_), From(_)) => true,
    }
}

/// Column, from 1, of the row's cell `index`.
fn column_of(row: &str, index: usize) -> usize {
    let before = row.split('\t').take(index);
    1 + before.map(|cell| cell.chars().count() + 1).sum::<usize>()
}

struct Row<'a> {
    text: &'a str,
    cells: Vec<&'a str>,
}

type Cell<T> = Result<T, (usize, String)>;

impl<'a> Row<'a> {
    fn new(text: &'a str) -> Row<'a> {
        Row {
            text,
            cells: text.split('\t').collect(),
        }
    }

    fn field(&self) -> Cell<Field> {
        if self.cells.len() != COLUMNS.len() {
            let problem = format!(
                "{} columns where {} are due",
                self.cells.len(),
                COLUMNS.len()
            );
            return Err((1, problem));
        }
        let space = self.cell(0, "cpuid or msr", |cell| match cell {
            "cpuid" => Some(Space::Cpuid),
            "hyperv" => Some(Space::HyperV),
            "msr" => Some(Space::Msr),
            _ => None,
        })?;
        let (high, low) = self.cell(4, "a bit or high:low", |cell| bits(cell, space))?;
        let name = self.cell(5, "a name in a-z 0-9 . _ -", name)?;
        let format = self.cell(6, "flag, dec, hex or text", |cell| format(cell, high, low))?;
        Ok(Field {
            space,
            leaf: self.cell(1, "0x and eight hex digits", leaf)?,
            subleaves: self.cell(2, "-, *, NN or NN+", subleaves)?,
            register: self.cell(
                3,
                "eax, ebx, ecx, edx, or - for an MSR",
                |cell| match space {
                    Space::Msr => (cell == "-").then_some(0),
                    Space::Cpuid | Space::HyperV => register(cell),
                },
            )?,
            low,
            high,
            name,
            format,
            qemu: self.cell(7, "-, X.Y or X.Y..X.Y", releases)?,
            measured: self.cell(
                8,
                "measured, measured:refusal, measured:may-be-0, public or -",
                evidence,
            )?,
            aliases: self.cell(9, "- or prefix:name,…", aliases)?,
        })
    }

    fn cell<T>(&self, index: usize, wanted: &str, read: impl Fn(&str) -> Option<T>) -> Cell<T> {
        let cell = self.cells[index];
        read(cell).ok_or_else(|| {
            let problem = format!("{} is “{cell}”, wanted {wanted}", COLUMNS[index]);
            (column_of(self.text, index), problem)
        })
    }
}

fn evidence(cell: &str) -> Option<Option<Measured>> {
    match cell {
        "measured" => Some(Some(Measured::InGuest)),
        "measured:refusal" => Some(Some(Measured::ByRefusal)),
        "measured:may-be-0" => Some(Some(Measured::ByClearing)),
        "public" | "-" => Some(None),
        _ => None,
    }
}

fn leaf(cell: &str) -> Option<u32> {
    let digits = cell.strip_prefix("0x").filter(|digits| digits.len() == 8)?;
    u32::from_str_radix(digits, 16).ok()
}

fn subleaves(cell: &str) -> Option<Subleaves> {
    let number = |digits: &str| u32::from_str_radix(digits, 16).ok();
    match cell {
        "-" => Some(Subleaves::None),
        "*" => Some(Subleaves::All),
        _ => match cell.strip_suffix('+') {
            Some(first) => number(first).map(Subleaves::From),
            None => number(cell).map(Subleaves::One),
        },
    }
}

pub(super) fn register(cell: &str) -> Option<u8> {
    REGISTERS
        .iter()
        .position(|name| *name == cell)
        .and_then(|index| u8::try_from(index).ok())
}

fn bits(cell: &str, space: Space) -> Option<(u8, u8)> {
    let (high, low) = cell.split_once(':').unwrap_or((cell, cell));
    let (high, low) = (high.parse().ok()?, low.parse().ok()?);
    let top = if space == Space::Msr { 63 } else { 31 };
    (low <= high && high <= top).then_some((high, low))
}

fn name(cell: &str) -> Option<String> {
    let letters = "abcdefghijklmnopqrstuvwxyz0123456789.-_";
    let fits = !cell.is_empty() && cell.chars().all(|letter| letters.contains(letter));
    (fits && !TAKEN.contains(&cell)).then(|| cell.to_owned())
}

fn format(cell: &str, high: u8, low: u8) -> Option<Format> {
    match cell {
        "flag" => (high == low).then_some(Format::Flag),
        "dec" => Some(Format::Dec),
        "hex" => Some(Format::Hex),
        "text" => (high == 31 && low == 0).then_some(Format::Text),
        _ => None,
    }
}

fn releases(cell: &str) -> Option<Option<Releases>> {
    if cell == "-" {
        return Some(None);
    }
    let (first, last) = match cell.split_once("..") {
        Some((first, last)) => (release(first)?, Some(release(last)?)),
        None => (release(cell)?, None),
    };
    Some(Some(Releases { first, last }))
}

fn aliases(cell: &str) -> Option<Vec<String>> {
    if cell == "-" {
        return Some(Vec::new());
    }
    let known = ["linux", "libvirt", "qemu"];
    let mut parts = cell.split(',');
    let fits = parts.all(|alias| {
        alias
            .split_once(':')
            .is_some_and(|(prefix, name)| known.contains(&prefix) && !name.is_empty())
    });
    fits.then(|| cell.split(',').map(str::to_owned).collect())
}

/// Fields of the brand string, four characters each.
pub const BRAND: [&str; 12] = [
    "model-id-0",
    "model-id-1",
    "model-id-2",
    "model-id-3",
    "model-id-4",
    "model-id-5",
    "model-id-6",
    "model-id-7",
    "model-id-8",
    "model-id-9",
    "model-id-10",
    "model-id-11",
];

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
