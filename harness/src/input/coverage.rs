//! What a file leaves out, and what that means.

/// What is known of a leaf, or of a feature, that is not in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// All there is was written: a leaf that is not there is none, and its bits are 0.
    Whole,
    /// The program leaves out leaves whose registers are all 0; below the announced limits they are known to be 0.
    WithoutZeroes,
    /// An excerpt: what is not there is unknown.
    Excerpt,
    /// Names of features, no registers: every name that this kind of file could have and has not is absent by its word alone.
    Names,
}
