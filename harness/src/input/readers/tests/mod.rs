//! Texts of registers as people hold them, and as they should not be.

mod around;
mod bad;
mod files;
mod forms;
mod many;
mod repeated;
mod support;
mod written;
