//! What every room uses: processes, files that are there whole or not at all, shell quoting, the natural order of names.

pub mod cancel;
pub mod files;
pub mod jobs;
pub mod launch;
pub mod limits;
pub mod near;
pub mod order;
pub mod os_error;
pub mod output;
pub mod path;
pub mod process;
pub mod read;
pub mod shell;
pub mod spawn;
pub mod text;
