//! One table of `fidelity.toml`, read on its own: errors keep their line and column, and each lane has its own keys.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

/// The value at `profile.name` of a TOML text; `None` where there is none.
///
/// # Errors
/// The text is no TOML, or the value is not of that form; the message shows line and column.
pub fn section<T: DeserializeOwned>(
    text: &str,
    profile: &str,
    name: &str,
) -> Result<Option<T>, toml::de::Error> {
    let seed = Table {
        path: &[profile, name],
        value: PhantomData,
    };
    seed.deserialize(toml::Deserializer::parse(text)?)
}

/// The keys of a table of the text, without what stands below them.
///
/// # Errors
/// The text is no TOML.
pub fn keys(text: &str, profile: &str) -> Result<Vec<String>, toml::de::Error> {
    let table: Option<indexed::Keys> = Table {
        path: &[profile],
        value: PhantomData,
    }
    .deserialize(toml::Deserializer::parse(text)?)?;
    Ok(table.map(|keys| keys.0).unwrap_or_default())
}

/// Goes down one key after the other.
struct Table<'a, T> {
    path: &'a [&'a str],
    value: PhantomData<T>,
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Table<'_, T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        if self.path.is_empty() {
            return T::deserialize(deserializer).map(Some);
        }
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: DeserializeOwned> Visitor<'de> for Table<'_, T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<T>, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == self.path[0] {
                found = map.next_value_seed(Table {
                    path: &self.path[1..],
                    value: PhantomData,
                })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

mod indexed {
    use serde::de::{IgnoredAny, MapAccess, Visitor};
    use serde::{Deserialize, Deserializer};

    /// The keys of a table.
    pub struct Keys(pub Vec<String>);

    impl<'de> Deserialize<'de> for Keys {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Keys, D::Error> {
            deserializer.deserialize_map(Names)
        }
    }

    struct Names;

    impl<'de> Visitor<'de> for Names {
        type Value = Keys;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a table")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
            let mut keys = Vec::new();
            while let Some((key, _)) = map.next_entry::<String, IgnoredAny>()? {
                keys.push(key);
            }
            Ok(Keys(keys))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::{keys, section};

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Set {
        models: Vec<String>,
    }

    const TEXT: &str = "jobs = 2\n[default.tcg]\nmodels = [\"a\"]\n[default.kvm]\nmodel = 3\n";

    #[test]
    fn a_section_is_read_alone() {
        let models = vec!["a".to_owned()];
        assert_eq!(section(TEXT, "default", "tcg"), Ok(Some(Set { models })));
        assert_eq!(section::<Set>(TEXT, "nightly", "tcg"), Ok(None));
    }

    #[test]
    fn an_unknown_key_is_reported_with_its_place() {
        let error = section::<Set>(TEXT, "default", "kvm").expect_err("an error");
        let message = error.to_string();
        assert!(message.contains("line 5, column 1"), "{message}");
        assert!(message.contains("unknown field `model`"), "{message}");
    }

    #[test]
    fn keys_are_those_of_the_table_alone() {
        let mut found = keys(TEXT, "default").expect("keys");
        found.sort();
        assert_eq!(found, ["kvm", "tcg"]);
        assert_eq!(keys(TEXT, "nightly"), Ok(Vec::new()));
    }
}
