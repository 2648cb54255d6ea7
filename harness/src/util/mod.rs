//! What every room uses: processes, files that are there whole or not at all, shell quoting, the natural order of names.

pub mod blocked;
pub mod cache;
pub mod cancel;
mod destination;
pub mod files;
pub mod launch;
pub mod lock;
pub mod near;
pub mod order;
pub mod os_error;
pub mod output;
pub mod path;
pub mod process;
pub mod shell;
pub mod spawn;
pub mod text;
