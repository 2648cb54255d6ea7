//! `levels.tsv`: levels of the x86-64 psABI, each a set of features.

use super::table::Table;

/// A level: what it needs beyond the level before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// `x86-64-v2`.
    pub name: String,
    /// What it adds, in the order of the file.
    pub features: Vec<Needed>,
}

/// A feature that a level needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    /// Its name in the feature table.
    pub feature: String,
    /// Its name in the psABI; `None` where the psABI takes it for granted.
    pub psabi: Option<String>,
}

/// All levels, lowest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels(pub Vec<Level>);

impl Levels {
    /// Reads the table; every feature is one of `table`.
    ///
    /// # Errors
    /// The first row that has not three columns or names no feature, with its line.
    pub fn parse(text: &str, table: &Table) -> Result<Levels, String> {
        let mut levels = Levels::default();
        for (number, row) in (1..).zip(text.lines()) {
            if !row.is_empty() && !row.starts_with('#') {
                levels
                    .add(row, table)
                    .map_err(|problem| format!("line {number}: {problem}: {row}"))?;
            }
        }
        Ok(levels)
    }

    fn add(&mut self, row: &str, table: &Table) -> Result<(), String> {
        let cells: Vec<&str> = row.split('\t').collect();
        let [name, feature, psabi] = cells[..] else {
            return Err(format!("{} columns where 3 are due", cells.len()));
        };
        if table.named(feature).is_none() {
            return Err(format!("no feature {feature} in the feature table"));
        }
        let needed = Needed {
            feature: feature.to_owned(),
            psabi: (psabi != "-").then(|| psabi.to_owned()),
        };
        let is_known = self.named(name).is_some();
        match self.0.last_mut() {
            Some(last) if last.name == name => last.features.push(needed),
            _ if is_known => return Err(format!("{name} is in two places")),
            _ => self.0.push(Level {
                name: name.to_owned(),
                features: vec![needed],
            }),
        }
        Ok(())
    }

    /// The level with this name.
    pub fn named(&self, name: &str) -> Option<&Level> {
        self.0.iter().find(|level| level.name == name)
    }

    /// Everything that a level needs: its own features and those of the levels before it.
    pub fn needs(&self, name: &str) -> Vec<&Needed> {
        let last = self.0.iter().position(|level| level.name == name);
        let levels = last.map_or(&[][..], |last| &self.0[..=last]);
        levels.iter().flat_map(|level| &level.features).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEATURES: &str = include_str!("../../../expectations/features.tsv");
    const LEVELS: &str = include_str!("../../../expectations/levels.tsv");

    fn table() -> Table {
        Table::parse("features.tsv", FEATURES).expect("the table")
    }

    #[test]
    fn a_level_needs_what_the_levels_before_it_need() {
        let levels = Levels::parse(LEVELS, &table()).expect("the levels");
        let counts = ["x86-64-v1", "x86-64-v2", "x86-64-v3", "x86-64-v4"]
            .map(|name| levels.needs(name).len());
        assert_eq!(counts, [9, 16, 25, 30]);
        assert_eq!(levels.needs("x86-64-v5").len(), 0);
    }

    #[test]
    fn a_row_that_is_none_is_an_error_with_its_line() {
        for (text, problem) in [
            ("a\tsse2", "line 1: 2 columns where 3 are due: a\tsse2"),
            (
                "#\na\tsse9\t-",
                "line 2: no feature sse9 in the feature table: a\tsse9\t-",
            ),
            (
                "a\tsse\t-\nb\tsse2\t-\na\tfma\t-",
                "line 3: a is in two places: a\tfma\t-",
            ),
        ] {
            assert_eq!(Levels::parse(text, &table()), Err(problem.to_owned()));
        }
    }
}
