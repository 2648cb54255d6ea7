//! What is wrong with libvirt's files of CPUs.

/// Why a `cpu_map` cannot be used; of a malformed file it gives line and column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// A file is named and not there.
    #[error("{file} is missing from libvirt's cpu_map")]
    Missing {
        /// Its name.
        file: String,
    },
    /// A file is no XML, or not libvirt's.
    #[error("{file}: {problem}")]
    Malformed {
        /// Its name.
        file: String,
        /// What is wrong, and where.
        problem: String,
    },
}

impl MapError {
    pub(super) fn at(file: &str, node: &roxmltree::Node<'_, '_>, problem: &str) -> MapError {
        let place = node.document().text_pos_at(node.range().start);
        MapError::Malformed {
            file: file.to_owned(),
            problem: format!("{place}: {problem}"),
        }
    }
}
